/**
 * The backward pass of an honest candidate: P recomputed from the LSE or kept, every sum in the
 * order of its machine, one partial sum a rank. spec (10)-(18), (25), (26)
 * @module
 */
import type { OutputName } from '../../reference/case/case.ts';
import { kvHead } from '../../reference/case/heads.ts';
import {
  broadcastIndex,
  forEachIndex,
  mapTensor,
  type Tensor,
  zeros,
} from '../../reference/numbers/tensor.ts';
import {
  type Held,
  type HeldForward,
  heldDropout,
  heldScores,
  inputOf,
  type Row,
} from './forward.ts';
import type { Pair } from './machine.ts';

/** Products that add up to one element, by the rank that holds them. */
class Terms {
  private readonly lists = new Map<string, { at: number[]; byRank: Map<number, Pair[]> }>();
  add(at: readonly number[], rank: number, pair: Pair): void {
    const key = at.join(' ');
    const entry = this.lists.get(key) ?? { at: [...at], byRank: new Map<number, Pair[]>() };
    this.lists.set(key, entry);
    const list = entry.byRank.get(rank);
    if (list === undefined) entry.byRank.set(rank, [pair]);
    else list.push(pair);
  }
  /** Each rank's products summed, the ranks' sums added, times `factor`, to the output format. */
  total({ machine }: Held, shape: readonly number[], factor: number): Tensor {
    const tensor = zeros(shape);
    for (const { at, byRank } of this.lists.values()) {
      const sum = machine.sum([...byRank.values()].map((pairs) => machine.dot(pairs)));
      tensor.set(...at, machine.output(factor === 1 ? sum : machine.round(sum * factor)));
    }
    return tensor;
  }
}

const rankOf = (sizes: readonly number[], position: number): number => {
  let end = 0;
  return sizes.findIndex((size) => {
    end += size;
    return position < end;
  });
};

interface Collected {
  readonly dQ: Terms;
  readonly dK: Terms;
  readonly dV: Terms;
  readonly dBias: Terms;
  readonly dSink: Terms;
}

/** dO and D of one row: D from the rounded output, or Σ P∘G. spec (12) */
function rowDelta(
  held: Held,
  forward: HeldForward,
  at: Row,
  dO: readonly number[],
  keys: readonly { readonly p: number; readonly g: number }[],
): number {
  const { machine, choices } = held;
  if (choices.delta === 'keys') return machine.dot(keys.map(({ p, g }): Pair => [p, g]));
  return machine.dot(dO.map((x, c): Pair => [x, forward.out.get(...at, c)]));
}

/** dS through the softcap, as the choices say. spec (14) */
function throughSoftcap(held: Held, dS: number, t: number): number {
  const { machine, choices, attentionCase } = held;
  const { round } = machine;
  const slope = round(1 - round(t * t));
  if (choices.softcap === 'slope') return round(dS * slope);
  const cap = round(attentionCase.parameters.softcap);
  const g = round(dS * cap);
  if (choices.softcap === 'divided') return round(round(g * slope) / cap);
  return round(round(round(g + round(g * t)) * round(1 - t)) * round(1 / cap));
}

/** Everything that one row adds. */
function collectRow(held: Held, forward: HeldForward, all: Collected, at: Row): void {
  const { attentionCase, machine, choices } = held;
  const { parameters, inputs } = attentionCase;
  const { round, narrow } = machine;
  const state = forward.rows.get(...at);
  if (state === null) return;
  const [b, h, i] = at;
  const g = kvHead(parameters, h);
  const dOut = inputOf(attentionCase, 'd_out');
  const dO = Array.from({ length: parameters.head_dim_v }, (_, c) =>
    machine.input(dOut.get(b, h, i, c)),
  );
  const lse = forward.lse.get(...at);
  const probability = (s: number): number =>
    s === Number.NEGATIVE_INFINITY
      ? 0
      : choices.backwardP === 'lse'
        ? machine.weight(s, lse)
        : round(machine.weight(s, state.m) / state.l);
  const keys = heldScores(held, at).map(({ j, s, t }) => {
    const kappa = heldDropout(held, at, j);
    const dP = machine.dot(dO.map((x, c): Pair => [x, held.v.get(b, g, j, c)]));
    return { j, t, kappa, p: probability(s), g: kappa === 1 ? dP : round(kappa * dP) };
  });
  const d = rowDelta(held, forward, at, dO, keys);
  const dLse = machine.beside(inputs.d_lse?.get(...at) ?? 0);
  const owner = choices.groups === 'stored' ? h : g;
  const [queryRank, sizes] = [rankOf(parameters.partition.q, i), parameters.partition.kv];
  for (const { j, t, kappa, p, g: gradient } of keys) {
    const weight = narrow(kappa === 1 ? p : round(kappa * p));
    for (const [c, x] of dO.entries()) all.dV.add([b, owner, j, c], queryRank, [weight, x]);
    const dS = round(p * round(round(gradient - d) + dLse));
    all.dBias.add([b, h, i, j], rankOf(sizes, j), [dS, 1]);
    const raw = t === null ? dS : throughSoftcap(held, dS, t);
    const dRaw = narrow(choices.gradientScale === 'before' ? round(raw * held.left) : raw);
    for (let c = 0; c < parameters.head_dim; c++) {
      all.dQ.add([b, h, i, c], rankOf(sizes, j), [dRaw, held.k.get(b, g, j, c)]);
      all.dK.add([b, owner, j, c], queryRank, [dRaw, held.q.get(b, h, i, c)]);
    }
  }
  if (inputs.sink === undefined) return;
  const p = probability(machine.beside(inputs.sink.get(h)));
  all.dSink.add([h], queryRank, [round(p * round(dLse - d)), 1]);
}

/** Terms of a full index moved to the place in the bias that they share. spec (17) */
function broadcastTerms(bias: Tensor): (at: readonly number[]) => number[] {
  return (at) => broadcastIndex(bias.shape, at);
}

/** dY, dW_K, dW_V: matrix products of dK and dV as operands. spec (25), (26) */
function projectBack(held: Held, dK: Tensor, dV: Tensor): Partial<Record<OutputName, Tensor>> {
  const { features, machine, attentionCase } = held;
  if (features === null) return {};
  const { partition } = attentionCase.parameters;
  const [dY, dWK, dWV] = [new Terms(), new Terms(), new Terms()];
  const through = (dX: Tensor, w: Tensor, dW: Terms): void => {
    const width = dX.shape[3] ?? 0;
    forEachIndex(dX.shape, ([b = 0, h = 0, j = 0, c = 0]) => {
      const x = machine.operand(dX.get(b, h, j, c));
      const column = h * width + c;
      const rank = rankOf(partition.kv, j);
      for (let e = 0; e < (w.shape[0] ?? 0); e++) {
        dY.add([b, j, e], rank, [x, w.get(e, column)]);
        dW.add([e, column], rank, [x, features.y.get(b, j, e)]);
      }
    });
  };
  through(dK, features.wK, dWK);
  through(dV, features.wV, dWV);
  return {
    d_y: dY.total(held, features.y.shape, 1),
    d_w_k: dWK.total(held, features.wK.shape, 1),
    d_w_v: dWV.total(held, features.wV.shape, 1),
  };
}

/** dK or dV: over a group at once, or of each query head stored first, as FlashAttention-2 does. */
function ofGroups(held: Held, terms: Terms, shape: readonly number[], factor: number): Tensor {
  const { machine, choices, attentionCase } = held;
  if (choices.groups === 'summed') return terms.total(held, shape, factor);
  const { heads, kv_heads } = attentionCase.parameters;
  const [batch = 0, , keys = 0, width = 0] = shape;
  const stored = terms.total(held, [batch, heads, keys, width], factor);
  const size = heads / kv_heads;
  const sum = zeros(shape);
  forEachIndex(shape, ([b = 0, g = 0, j = 0, c = 0]) => {
    const parts = Array.from({ length: size }, (_, n) => stored.get(b, g * size + n, j, c));
    sum.set(b, g, j, c, machine.output(machine.sum(parts)));
  });
  return sum;
}

/** Every gradient under its contract name. */
export function heldGradients(
  held: Held,
  forward: HeldForward,
): Partial<Record<OutputName, Tensor>> {
  const { attentionCase, q, k, v } = held;
  const { batch, heads, seq_q } = attentionCase.parameters;
  const { bias, sink } = attentionCase.inputs;
  const place = bias === undefined ? null : broadcastTerms(bias);
  const dBias = new Terms();
  const all: Collected = {
    dQ: new Terms(),
    dK: new Terms(),
    dV: new Terms(),
    dBias,
    dSink: new Terms(),
  };
  if (place !== null) {
    const add = dBias.add.bind(dBias);
    dBias.add = (at, rank, pair) => add(place(at), rank, pair);
  }
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < seq_q; i++) collectRow(held, forward, all, [b, h, i]);
    }
  }
  // Where dS was scaled before it was rounded, nothing is left to scale.
  const before = held.choices.gradientScale === 'before';
  const dK = ofGroups(held, all.dK, k.shape, before ? 1 : held.scaleK);
  const dV = ofGroups(held, all.dV, v.shape, 1);
  return {
    d_q: all.dQ.total(held, q.shape, before ? 1 : held.scaleQ),
    d_k: dK,
    d_v: dV,
    ...(bias === undefined ? {} : { d_bias: dBias.total(held, bias.shape, 1) }),
    ...(sink === undefined ? {} : { d_sink: all.dSink.total(held, sink.shape, 1) }),
    ...projectBack(held, dK, dV),
  };
}

/** A tensor as somebody would hand it over. */
export function given(tensor: Tensor, dtype: string): { dtype: string; tensor: Tensor } {
  return { dtype, tensor: mapTensor(tensor, (x) => x) };
}
