/**
 * Laws about values and scales: linearity in V, constant values, factors that cancel. spec (2), (8)-(16)
 * @module
 */
import { type AttentionCase, isGradient, type OutputName } from '../../reference/case/case.ts';
import { kvHead } from '../../reference/case/heads.ts';
import { visibility } from '../../reference/case/mask.ts';
import { mapTensor, type Tensor } from '../../reference/numbers/tensor.ts';
import { changed, type Equation, equal, type Law } from './law.ts';
import { indicesOf, wants } from './output-shape.ts';

/** V where `keep` holds of the key, 0 elsewhere; NaN of unseen keys stays out of both halves. */
function half(v: Tensor, keep: (j: number) => boolean): Tensor {
  const copy = mapTensor(v, (x) => x);
  const [batch = 0, heads = 0, keys = 0, width = 0] = v.shape;
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let j = 0; j < keys; j++) {
        for (let c = 0; c < width; c++) if (!keep(j)) copy.set(b, h, j, c, 0);
      }
    }
  }
  return copy;
}

/** O(V₁ + V₂) = O(V₁) + O(V₂); dV does not know V. */
export const linearInV: Law = {
  name: 'O is linear in V, and LSE and dV do not depend on V',
  from: 'spec (6), (8), (10)',
  applies: ({ inputs }) => inputs.v !== undefined,
  transform: (c) => {
    const { v } = c.inputs;
    if (v === undefined) return null;
    const even = changed(c, {}, { v: half(v, (j) => j % 2 === 0) });
    const odd = changed(c, {}, { v: half(v, (j) => j % 2 === 1) });
    return even === null || odd === null ? null : [even, odd];
  },
  *equations(c) {
    for (const output of ['lse', 'd_v'] as const) {
      if (!wants(c, output)) continue;
      for (const index of indicesOf(c, output)) yield equal(output, index, { run: 1 });
    }
    for (const index of wants(c, 'out') ? indicesOf(c, 'out') : []) {
      const at = (run: number, coefficient: number) => ({
        run,
        output: 'out' as const,
        index,
        coefficient,
      });
      yield { terms: [at(0, 1), at(1, -1), at(2, -1)], constant: 0 };
    }
  },
};

/** Values that are all the same are their own average: O = v, and no score has a gradient but dLSE's. */
export const constantV: Law = {
  name: 'constant values come out as they went in, in every row that sees a key',
  from: 'spec (7), (8)',
  applies: ({ inputs }) =>
    inputs.v !== undefined && inputs.sink === undefined && inputs.dropout_keep === undefined,
  transform: (c) => {
    const { v } = c.inputs;
    if (v === undefined) return null;
    const [, , , width = 0] = v.shape;
    const same = mapTensor(v, () => 1);
    for (let e = 0; e < width; e++) {
      for (const [b = 0, h = 0, j = 0, x = 0] of indicesOf(c, 'd_v')) {
        if (x === e) same.set(b, h, j, e, 1 + (e % 3));
      }
    }
    const other = changed(c, {}, { v: same });
    return other === null ? null : [other];
  },
  *equations(c) {
    for (const index of wants(c, 'out') ? indicesOf(c, 'out') : []) {
      const [b = 0, h = 0, i = 0, e = 0] = index;
      const term = { run: 1, output: 'out' as const, index, coefficient: 1 };
      yield { terms: [term], constant: seesKey(c, [b, h, i]) ? 1 + (e % 3) : 0 };
    }
    if (c.inputs.d_lse !== undefined) return;
    for (const output of ['d_q', 'd_k', 'd_bias'] as const) {
      if (!wants(c, output)) continue;
      for (const index of indicesOf(c, output)) {
        yield { terms: [{ run: 1, output, index, coefficient: 1 }], constant: 0 };
      }
    }
  },
};

function seesKey(c: AttentionCase, [b, h, i]: readonly [number, number, number]): boolean {
  const visible = visibility(c);
  for (let j = 0; j < c.parameters.seq_kv; j++) if (visible(b, h, i, j)) return true;
  return false;
}

/** 2Q at half the scale is the same question; its dQ is half as large. */
export const scaleExchange: Law = {
  name: '2Q with scale/2 changes nothing but dQ, which halves',
  from: 'spec (2), (15), (16)',
  applies: ({ inputs }) => inputs.q !== undefined,
  transform: (c) => {
    const { q } = c.inputs;
    if (q === undefined) return null;
    const other = changed(c, { scale: c.parameters.scale / 2 }, { q: mapTensor(q, (x) => 2 * x) });
    return other === null ? null : [other];
  },
  *equations(c) {
    for (const output of c.parameters.wants) {
      const factor = output === 'd_q' ? 2 : 1;
      for (const index of indicesOf(c, output)) yield equal(output, index, { run: 1, factor });
    }
  },
};

/** Everything downstream of the cotangents is linear in them. */
export const cotangentScaling: Law = {
  name: 'doubling dO and dLSE doubles every gradient',
  from: 'spec (10)-(18), (25), (26)',
  applies: ({ inputs }) => inputs.d_out !== undefined,
  transform: (c) => {
    const { d_out, d_lse } = c.inputs;
    if (d_out === undefined) return null;
    const twice = (tensor: Tensor): Tensor => mapTensor(tensor, (x) => 2 * x);
    const other = changed(
      c,
      {},
      {
        d_out: twice(d_out),
        ...(d_lse === undefined ? {} : { d_lse: twice(d_lse) }),
      },
    );
    return other === null ? null : [other];
  },
  *equations(c) {
    for (const output of c.parameters.wants) {
      const factor = isGradient(output) ? 0.5 : 1;
      for (const index of indicesOf(c, output)) yield equal(output, index, { run: 1, factor });
    }
  },
};

/** Σ over everything of output∘input. */
function inner(c: AttentionCase, output: OutputName, input: Tensor | undefined, sign: number) {
  if (input === undefined) return [];
  return indicesOf(c, output).flatMap((index) => {
    const x = input.get(...index);
    return Number.isFinite(x) ? [{ run: 0, output, index, coefficient: sign * x }] : [];
  });
}

/** Q and K enter only as Q·K, Y and W only as Y W: Euler's identity for each side. */
export const transposedRoles: Law = {
  name: 'Σ dQ∘Q = Σ dK∘K, and Σ dY∘Y = Σ dW_K∘W_K + Σ dW_V∘W_V',
  from: 'spec (15), (16), (25), (26)',
  applies: (c) => wants(c, 'd_q'),
  transform: () => [],
  *equations(c): Iterable<Equation> {
    const { q, k, y, w_k, w_v } = c.inputs;
    if (k !== undefined) {
      yield { terms: [...inner(c, 'd_q', q, 1), ...inner(c, 'd_k', k, -1)], constant: 0 };
    } else if (wants(c, 'd_y')) {
      const weights = [...inner(c, 'd_w_k', w_k, -1), ...inner(c, 'd_w_v', w_v, -1)];
      yield { terms: [...inner(c, 'd_y', y, 1), ...weights], constant: 0 };
    }
  },
};

/** The softmax's gradient sums to nothing but what came through the LSE. */
export const scoreGradientSum: Law = {
  name: 'Σ dBias + Σ dSink = Σ dLSE over the rows that see something',
  from: 'spec (12), (13), (17), (18)',
  applies: (c) => wants(c, 'd_bias'),
  transform: () => [],
  *equations(c): Iterable<Equation> {
    const sink = c.inputs.sink !== undefined;
    let constant = 0;
    for (const index of indicesOf(c, 'lse')) {
      const [b = 0, h = 0, i = 0] = index;
      if (sink || seesKey(c, [b, h, i])) constant += c.inputs.d_lse?.get(...index) ?? 0;
    }
    const names: OutputName[] = sink ? ['d_bias', 'd_sink'] : ['d_bias'];
    const terms = names.flatMap((output) =>
      indicesOf(c, output).map((index) => ({ run: 0, output, index, coefficient: 1 })),
    );
    yield { terms, constant };
  },
};

/** Weights of a row sum to one, so the cotangents arrive whole at the values. */
export const valueGradientSum: Law = {
  name: 'Σ_j dV_j = Σ dO over the rows of the group that see a key',
  from: 'spec (7), (10)',
  applies: (c) =>
    wants(c, 'd_v') && c.inputs.sink === undefined && c.inputs.dropout_keep === undefined,
  transform: () => [],
  *equations(c): Iterable<Equation> {
    const { batch, heads, kv_heads, seq_q, seq_kv, head_dim_v } = c.parameters;
    for (let b = 0; b < batch; b++) {
      for (let g = 0; g < kv_heads; g++) {
        for (let e = 0; e < head_dim_v; e++) {
          let constant = 0;
          for (let h = 0; h < heads; h++) {
            if (kvHead(c.parameters, h) !== g) continue;
            for (let i = 0; i < seq_q; i++) {
              if (seesKey(c, [b, h, i])) constant += c.inputs.d_out?.get(b, h, i, e) ?? 0;
            }
          }
          const terms = Array.from({ length: seq_kv }, (_, j) => ({
            ...{ run: 0, output: 'd_v' as const, coefficient: 1 },
            index: [b, g, j, e],
          }));
          yield { terms, constant };
        }
      }
    }
  },
};
