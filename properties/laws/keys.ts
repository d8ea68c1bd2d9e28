/**
 * Laws about keys: shifting, permuting, doubling and dropping them. spec (2)-(8), (19)-(23)
 * @module
 */
import type { AttentionCase, CaseInputs, OutputName } from '../../reference/case/case.ts';
import { masks, visibility } from '../../reference/case/mask.ts';
import { mapTensor } from '../../reference/numbers/tensor.ts';
import { changed, type Equation, equal, type Law } from './law.ts';
import { indicesOf, wants } from './output-shape.ts';
import { keyAxis, pickInputs } from './rearrange.ts';

/** Masks that know keys by their position. */
function positional({ parameters, inputs }: AttentionCase): boolean {
  const { causal, window } = parameters;
  return causal !== 'none' || window !== null || inputs.kv_lengths !== undefined;
}

const one = (c: AttentionCase | null): AttentionCase[] | null => (c === null ? null : [c]);

/** Equal element for element, with keys at `to(j)` in the other run. */
function* alike(
  c: AttentionCase,
  outputs: readonly OutputName[],
  to: (j: number) => number = (j) => j,
): Iterable<Equation> {
  for (const output of outputs) {
    if (!wants(c, output)) continue;
    const axis = keyAxis(c, output);
    for (const index of indicesOf(c, output)) {
      const moved = index.map((x, n) => (n === axis ? to(x) : x));
      yield equal(output, index, { run: 1, index: moved });
    }
  }
}

/** K + t moves every score of a row by scale·q·t: the softmax does not see it. */
export const keyShift: Law = {
  name: 'row shift: K + t changes no output and no gradient but dQ through dLSE',
  from: 'spec (2), (7), (13)',
  applies: ({ parameters, inputs }) =>
    inputs.k !== undefined && parameters.softcap === 0 && inputs.sink === undefined,
  transform: (c) => {
    const { k } = c.inputs;
    if (k === undefined) return null;
    // An eighth of a unit a component, the same for every key; where K + t is not exact, no law.
    const shifted = mapTensor(k, (x) => x);
    const shape = k.shape;
    let exact = true;
    for (const [b = 0, h = 0, j = 0, e = 0] of indicesOf(c, 'd_k')) {
      const [x, t] = [k.get(b, h, j, e), (1 + (e % 3)) / 2];
      if (Number.isFinite(x)) {
        exact &&= x + t - t === x && x + t - x === t;
        shifted.set(b, h, j, e, x + t);
      }
    }
    return exact && shape.length === 4 ? one(changed(c, {}, { k: shifted })) : null;
  },
  equations: (c) => {
    const same: OutputName[] = ['out', 'd_k', 'd_v', 'd_bias'];
    // Σ_j dS_ij = dLSE_i, so dQ stays only where no cotangent of the LSE came.
    if (c.inputs.d_lse === undefined) same.push('d_q');
    return alike(c, same);
  },
};

/** A constant added to a bias moves the LSE by it, and nothing else. */
export const biasShift: Law = {
  name: 'bias + β adds β to the LSE of every row with a key, and changes nothing else',
  from: 'spec (4), (6), (7)',
  applies: ({ inputs }) => inputs.bias !== undefined && inputs.sink === undefined,
  transform: (c) => {
    const { bias } = c.inputs;
    if (bias === undefined) return null;
    let exact = true;
    const moved = mapTensor(bias, (x) => {
      exact &&= masks(x) || (x + 4 - 4 === x && x + 4 - x === 4);
      return x + 4;
    });
    return exact ? one(changed(c, {}, { bias: moved })) : null;
  },
  *equations(c) {
    const same: OutputName[] = ['out', 'd_q', 'd_k', 'd_v', 'd_bias', 'd_y', 'd_w_k', 'd_w_v'];
    yield* alike(c, same);
    if (!wants(c, 'lse')) return;
    for (const index of indicesOf(c, 'lse')) {
      yield { ...equal('lse', index, { run: 1 }), constant: -4 };
    }
  },
};

function reversed(n: number): number[] {
  return Array.from({ length: n }, (_, j) => n - 1 - j);
}

/** The order of keys means nothing, unless a mask counts positions. */
export const keyPermutation: Law = {
  name: 'permuting keys permutes dK, dV, dY and changes nothing else',
  from: 'spec (6), (8), (23)',
  applies: (c) => !positional(c) && c.parameters.seq_kv > 1,
  transform: (c) => one(changed(c, {}, pickInputs(c, 'keys', reversed(c.parameters.seq_kv)))),
  equations: (c) => alike(c, c.parameters.wants, (j) => c.parameters.seq_kv - 1 - j),
};

/** Every key twice: half the weight each. The gradients of the two copies add up to the original's. */
export const keyDuplication: Law = {
  name: 'every key twice: same output and dQ, and the copies share dK, dV, dY',
  from: 'spec (6)-(8), (10), (16)',
  applies: (c) =>
    !positional(c) &&
    c.inputs.sink === undefined &&
    c.parameters.seq_kv > 0 &&
    c.parameters.partition.kv.length > 0,
  transform: (c) => {
    const { seq_kv, partition } = c.parameters;
    const pick = Array.from({ length: 2 * seq_kv }, (_, j) => j >> 1);
    const kv = partition.kv.map((size) => 2 * size);
    const parameters = { seq_kv: 2 * seq_kv, partition: { ...partition, kv } };
    return one(changed(c, parameters, pickInputs(c, 'keys', pick)));
  },
  *equations(c) {
    for (const output of c.parameters.wants) {
      if (output === 'lse') continue; // grows by log 2, which no format holds
      const axis = keyAxis(c, output);
      for (const index of indicesOf(c, output)) {
        if (axis === null) {
          yield equal(output, index, { run: 1 });
          continue;
        }
        const copy = (n: number) => ({
          ...{ run: 1, output, coefficient: -1 },
          index: index.map((x, a) => (a === axis ? 2 * x + n : x)),
        });
        const own = { run: 0, output, index, coefficient: 1 };
        yield { terms: [own, copy(0), copy(1)], constant: 0 };
      }
    }
  },
};

/** Keys that somebody attends to, in any batch entry and head. */
function seenKeys(c: AttentionCase): number[] {
  const { batch, heads, seq_q, seq_kv } = c.parameters;
  const visible = visibility(c);
  return Array.from({ length: seq_kv }, (_, j) => j).filter((j) => {
    for (let b = 0; b < batch; b++) {
      for (let h = 0; h < heads; h++) {
        for (let i = 0; i < seq_q; i++) if (visible(b, h, i, j)) return true;
      }
    }
    return false;
  });
}

/** Leaving out the keys that nobody attends to changes nothing; their gradients are exact zeros. */
export const droppedKeys: Law = {
  name: 'dropping keys that nobody sees changes nothing; their dK, dV, dY are 0',
  from: 'spec (5), (5f)',
  applies: (c) => !positional(c) && seenKeys(c).length < c.parameters.seq_kv,
  transform: (c) => {
    const seen = seenKeys(c);
    const inputs: CaseInputs = pickInputs(c, 'keys', seen);
    const partition = {
      ...c.parameters.partition,
      kv: c.parameters.partition.kv.map((_, rank) => (rank === 0 ? seen.length : 0)),
    };
    return one(changed(c, { seq_kv: seen.length, partition }, inputs));
  },
  *equations(c) {
    const place = new Map(seenKeys(c).map((j, n) => [j, n]));
    for (const output of c.parameters.wants) {
      const axis = keyAxis(c, output);
      for (const index of indicesOf(c, output)) {
        const to = axis === null ? 0 : place.get(index[axis] ?? 0);
        if (to === undefined) {
          yield { terms: [{ run: 0, output, index, coefficient: 1 }], constant: 0 };
        } else {
          const moved = index.map((x, n) => (n === axis ? to : x));
          yield equal(output, index, { run: 1, index: moved });
        }
      }
    }
  },
};
