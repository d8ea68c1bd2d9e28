/**
 * The forward pass of an honest candidate: partial results per rank, online in blocks, joined
 * along a tree. spec (1)-(9), (19)-(23), with a rounding after every operation
 * @module
 */
import type { AttentionCase, InputName } from '../../reference/case/case.ts';
import { kvHead } from '../../reference/case/heads.ts';
import { visibility } from '../../reference/case/mask.ts';
import {
  broadcastGet,
  filled,
  mapTensor,
  type Tensor,
  zeros,
} from '../../reference/numbers/tensor.ts';
import { fold } from '../arbitraries/merge-tree.ts';
import type { HonestChoices } from './choices.ts';
import type { Machine, Pair } from './machine.ts';
import { isNormalised, joinAll, joinTwo, normalise, type Partial } from './merges.ts';

/** The case as the candidate holds it. */
export interface Held {
  readonly attentionCase: AttentionCase;
  readonly machine: Machine;
  readonly choices: HonestChoices;
  readonly visible: (b: number, h: number, i: number, j: number) => boolean;
  /** Q and K as they enter q·k, and what is left of the scale. */
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  readonly left: number;
  /** Scale still to be multiplied into dQ and dK: root, or the scale where its operand is plain. */
  readonly scaleQ: number;
  readonly scaleK: number;
  readonly features: { readonly y: Tensor; readonly wK: Tensor; readonly wV: Tensor } | null;
}

/** One key of a row, visible or, where such are computed, not: s is −∞ then, if it is anything. */
export interface HeldScore {
  readonly j: number;
  readonly s: number;
  readonly t: number | null;
}

/** What the backward pass finds. */
export interface HeldForward {
  readonly out: Tensor;
  readonly lse: Tensor;
  readonly rows: Tensor<Partial | null>;
}

/** An input that the case has. */
export function inputOf({ inputs }: AttentionCase, name: InputName): Tensor {
  const tensor = inputs[name];
  if (tensor === undefined) throw new RangeError(`"${name}" expected a tensor, got none`);
  return tensor;
}

function project(held: Pick<Held, 'machine'>, y: Tensor, w: Tensor, shape: number[]): Tensor {
  const x = zeros(shape);
  const [batch = 0, heads = 0, rows = 0, width = 0] = shape;
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let j = 0; j < rows; j++) {
        for (let c = 0; c < width; c++) {
          const pairs: Pair[] = [];
          for (let e = 0; e < (w.shape[0] ?? 0); e++) {
            pairs.push([y.get(b, j, e), w.get(e, h * width + c)]);
          }
          x.set(b, h, j, c, held.machine.operand(held.machine.dot(pairs)));
        }
      }
    }
  }
  return x;
}

/** Inputs rounded, K and V recomputed, the scale put where the choices say. spec (2), (24) */
export function hold(c: AttentionCase, machine: Machine, choices: HonestChoices): Held {
  const { parameters: p } = c;
  // What is not finite is poison that nobody sees: it is replaced before anything is computed.
  const finite = (x: number): number => (Number.isFinite(x) ? x : 0);
  const read = (name: InputName): Tensor =>
    mapTensor(inputOf(c, name), (x) => machine.input(finite(x)));
  const recompute = p.dim_y !== undefined;
  const features = recompute ? { y: read('y'), wK: read('w_k'), wV: read('w_v') } : null;
  const kShape = [p.batch, p.kv_heads, p.seq_kv, p.head_dim];
  const vShape = [p.batch, p.kv_heads, p.seq_kv, p.head_dim_v];
  const k = features ? project({ machine }, features.y, features.wK, kShape) : read('k');
  const v = features ? project({ machine }, features.y, features.wV, vShape) : read('v');
  const q = read('q');
  const scale = machine.round(p.scale);
  const times = (tensor: Tensor, factor: number): Tensor =>
    mapTensor(tensor, (x) => machine.operand(machine.round(x * factor)));
  const base = { attentionCase: c, machine, choices, visible: visibility(c), v, features };
  if (choices.scale === 'score')
    return { ...base, q, k, left: scale, scaleQ: scale, scaleK: scale };
  if (choices.scale === 'query') {
    return { ...base, q: times(q, scale), k, left: 1, scaleQ: scale, scaleK: 1 };
  }
  const root = machine.round(Math.sqrt(Math.abs(p.scale)));
  const signed = Math.sign(p.scale) * root;
  return {
    ...base,
    ...{ q: times(q, signed), k: times(k, root), left: 1, scaleQ: signed, scaleK: root },
  };
}

/** Scores of the keys of one row, those that are not visible masked or absent. spec (2)-(5) */
export function heldScores(held: Held, [b, h, i]: Row): HeldScore[] {
  const { attentionCase, machine, choices, q, k, left } = held;
  const { parameters, inputs } = attentionCase;
  const g = kvHead(parameters, h);
  const row: HeldScore[] = [];
  const cap = machine.round(parameters.softcap);
  for (let j = 0; j < parameters.seq_kv; j++) {
    const visible = held.visible(b, h, i, j);
    if (!visible && choices.masking === 'absent') continue;
    const pairs: Pair[] = [];
    for (let c = 0; c < parameters.head_dim; c++)
      pairs.push([q.get(b, h, i, c), k.get(b, g, j, c)]);
    const dot = machine.dot(pairs);
    const raw = left === 1 ? dot : machine.round(left * dot);
    const t = cap === 0 ? null : machine.tanh(machine.round(raw / cap));
    const capped = t === null ? raw : machine.round(cap * t);
    const bias = inputs.bias;
    const s =
      bias === undefined
        ? capped
        : machine.round(capped + machine.beside(broadcastGet(bias, [b, h, i, j])));
    const masked = choices.masking === 'selected' ? MASKED : s + MASKED;
    row.push({ j, s: visible ? s : masked, t });
  }
  return row;
}

const MASKED = Number.NEGATIVE_INFINITY;

export type Row = readonly [b: number, h: number, i: number];

/** κ = keep/(1 − rate), rounded. spec (8) */
export function heldDropout({ attentionCase, machine }: Held, [b, h, i]: Row, j: number): number {
  const keep = attentionCase.inputs.dropout_keep;
  if (keep === undefined) return 1;
  const rate = machine.round(attentionCase.parameters.dropout_rate);
  const kappa = machine.round(1 / machine.round(1 - rate));
  return broadcastGet(keep, [b, h, i, j]) === 0 ? 0 : kappa;
}

/** The running maximum after a block: a lazy one stays until it would rise by more than its headroom. */
function maximumOf(part: readonly HeldScore[], before: number, headroom: number): number {
  const m = part.reduce((max, { s }) => Math.max(max, s), before);
  return m - before <= headroom ? before : m;
}

/** One block of keys after another, rescaled as the maximum rises. */
function online(held: Held, at: Row, keys: readonly HeldScore[]): Partial | null {
  const { machine, choices, v, attentionCase } = held;
  const { head_dim_v: width } = attentionCase.parameters;
  const g = kvHead(attentionCase.parameters, at[1]);
  let partial: Partial | null = null;
  const list = machine.ordered(keys, ({ s }) => s);
  for (let from = 0; from < list.length; from += choices.block) {
    const part = list.slice(from, from + choices.block);
    const before: Partial = partial ?? {
      m: part[0]?.s ?? 0,
      l: 0,
      o: Array.from({ length: width }, () => 0),
    };
    const m = maximumOf(part, before.m, partial === null ? 0 : machine.headroom);
    const shrink = machine.weight(before.m, m);
    const weights = part.map(({ s }) => machine.summed(machine.weight(s, m)));
    const used = part.map(({ j }, n) => {
      const p = weights[n] ?? 0;
      const kappa = heldDropout(held, at, j);
      return machine.narrow(kappa === 1 ? p : machine.round(p * kappa));
    });
    const l = machine.round(machine.round(before.l * shrink) + machine.sum(weights));
    const o = before.o.map((old, c) => {
      const pairs = part.map(({ j }, n): Pair => [used[n] ?? 0, v.get(at[0], g, j, c)]);
      return machine.round(machine.round(old * shrink) + machine.dot(pairs));
    });
    partial = { m, l, o };
  }
  return partial;
}

/** The keys of one rank, in one part, or in several that are merged at once (split keys). */
function onOneRank(held: Held, at: Row, keys: readonly HeldScore[]): Partial | null {
  const { choices } = held;
  if (choices.splits === 1) {
    const partial = online(held, at, keys);
    return partial !== null && isNormalised(choices) ? normalise(held, partial) : partial;
  }
  const size = Math.max(1, Math.ceil(keys.length / choices.splits));
  const parts: Partial[] = [];
  for (let from = 0; from < keys.length; from += size) {
    const partial = online(held, at, keys.slice(from, from + size));
    if (partial !== null) parts.push(normalise(held, partial));
  }
  return joinAll(held, parts);
}

/** One row: a partial result a rank, joined along the tree, the sink a leaf of it. */
function forwardRow(held: Held, at: Row): Partial | null {
  const { attentionCase, choices, machine } = held;
  const { partition, head_dim_v } = attentionCase.parameters;
  const scores = heldScores(held, at);
  let start = 0;
  const leaves = partition.kv.map((size) => {
    const [from, to] = [start, start + size];
    start = to;
    const keys = scores.filter(({ j }) => j >= from && j < to);
    return onOneRank(held, at, keys);
  });
  const sink = attentionCase.inputs.sink;
  if (sink !== undefined) {
    const o = Array.from({ length: head_dim_v }, () => 0);
    leaves.push({ m: machine.beside(sink.get(at[1])), l: 1, o });
  }
  return fold(choices.tree, leaves, (a, b) => joinTwo(held, a, b), null);
}

/** O and LSE of every row, O rounded to the output format, and what the backward pass keeps. */
export function heldForward(held: Held): HeldForward {
  const { machine, attentionCase } = held;
  const { batch, heads, seq_q, head_dim_v } = attentionCase.parameters;
  const out = zeros([batch, heads, seq_q, head_dim_v]);
  const lse = filled([batch, heads, seq_q], Number.NEGATIVE_INFINITY);
  const rows = filled<Partial | null>([batch, heads, seq_q], null);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < seq_q; i++) {
        const row = forwardRow(held, [b, h, i]);
        if (row === null) continue;
        rows.set(b, h, i, row);
        lse.set(b, h, i, machine.logSum(row.m, row.l));
        row.o.forEach((x, c) => {
          // Without a visible key the sum is of products with zero.
          const o = row.l === 0 ? x : machine.round(x / row.l);
          out.set(b, h, i, c, machine.output(o));
        });
      }
    }
  }
  return { out, lse, rows };
}
