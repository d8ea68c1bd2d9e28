/**
 * Probes whose roundings to a half format vanish: weights are powers of two, dS and outputs numbers with as many
 * digits as the format has, so a fused kernel's answer is right to float32, and a factor of 1.004 steps to
 * the next number of the format. spec/bounds.md §3, Anchored
 *
 * Q lies in the first half of the components and K in the second, so that q·k is an exact zero, except where
 * a weight is wanted. Which key is which is drawn, and every sign that cancels. At a base profile
 * they are cases like others; at `bf16+fused-kernel` and `f16+fused-kernel` they see what §3 of bounds.md says.
 * @module
 */
import type { CaseParameters } from '../../reference/case/case.ts';
import { type Adjust, edit, permutation, sign } from './edits.ts';
import type { SuiteSpec } from './suite-spec.ts';
import { EVERYTHING } from './vary.ts';

const LN_2 = Math.LN2;
const LN_3 = 1.0986122886681098;

/** The largest number of as many binary digits as the format has: the next are 1 away. */
const top = ({ dtype }: CaseParameters): number => (dtype === 'bf16' ? 255 : 2047);

/** The largest odd multiple of 3 among those. */
const topOfThree = ({ dtype }: CaseParameters): number => (dtype === 'bf16' ? 255 : 2043);

/** One value for each key, in an order that is drawn. */
function dealt(values: readonly number[], order: readonly number[]): (j: number) => number {
  return (j) => values[order[j] ?? 0] ?? 0;
}

const times = (n: number, x: number): number[] => Array.from({ length: n }, () => x);

const HALF = 8;
const plain = {
  ranks: 1,
  heads: 1,
  kv_heads: 1,
  seq_q: 2,
  seq_kv: 16,
  head_dim: 2 * HALF,
  head_dim_v: HALF,
  scale: 0.25,
  judging: 'structured',
  dtypes: ['f16', 'bf16'],
  keeps: EVERYTHING,
} as const satisfies Partial<SuiteSpec>;

/** q·k = t_j in the first component; the others never meet. */
function meet(inputs: Parameters<Adjust>[0], p: CaseParameters, t: (j: number) => number): void {
  edit(inputs.q, p.dtype, ([, , , c = 0], old) => (c === 0 ? 1 : c < HALF ? old : 0));
  edit(inputs.k, p.dtype, ([, , j = 0, c = 0], old) => (c === 0 ? t(j) : c < HALF ? 0 : old));
}

/** Weights 4, 2, 1, 1/2 that add up to 16, and values that cancel. */
const WEIGHTS = [2, ...times(4, 0), 1, ...times(4, -1), ...times(4, 0)];
const SIGNS = [1, ...times(4, -1), 1, ...times(4, -1), ...times(4, 0)];

const scale: SuiteSpec = {
  ...plain,
  name: 'anchored/scale',
  shows: 'a scale wrong by a hundredth or less, in the forward or the backward pass',
  seq_kv: WEIGHTS.length,
  scale: LN_2,
  adjust: (inputs, p, below) => {
    const order = permutation(WEIGHTS.length, below);
    const [t, v, s] = [dealt(WEIGHTS, order), dealt(SIGNS, order), sign(below)];
    meet(inputs, p, t);
    edit(inputs.v, p.dtype, ([, , j = 0, c = 0]) => s * v(j) * (c + 1));
    edit(inputs.d_out, p.dtype, ([, , i]) => (i === 0 ? s * top(p) : 0));
  },
};

/** Every row attends to 16 keys alike: P = 1/16. */
const uniform = (inputs: Parameters<Adjust>[0], p: CaseParameters): void =>
  edit(inputs.q, p.dtype, ([, , i, c = 0]) => (c < HALF && i === 0 ? 1 : 0));

const scoreGradient: SuiteSpec = {
  ...plain,
  name: 'anchored/score-gradient',
  shows: 'dS, dQ or dK wrong by a half of a hundredth',
  adjust: (inputs, p, below) => {
    const order = permutation(16, below);
    const s = sign(below);
    uniform(inputs, p);
    // dQ_c is dS of one key alone.
    edit(inputs.k, p.dtype, ([, , j = 0, c = 0]) => (c - HALF === order[j] ? 1 : 0));
    edit(inputs.d_out, p.dtype, ([, , i, c]) => (i === 0 && (c === 0 || c === 1) ? 1 : 0));
    edit(inputs.v, p.dtype, ([, , j = 0, c]) => {
      if (c === 1) return 64;
      return c === 0 ? ((order[j] ?? 0) % 2 === 0 ? s : -s) * top(p) : 0;
    });
  },
};

/** 64·127 + rest lies a little below or above a tie of the format at 8192. */
const BESIDE_TIE = { bf16: [92, 100], f16: [66, 70] } as const;

const tie: SuiteSpec = {
  ...plain,
  name: 'anchored/ties',
  shows: 'dQ or dK wrong by a thousandth: it lies beside a tie of the output format',
  seq_q: 3,
  adjust: (inputs, p, below) => {
    const order = permutation(16, below);
    const rests = BESIDE_TIE[p.dtype === 'bf16' ? 'bf16' : 'f16'];
    const g = dealt([64, -64, 1, -1, ...times(12, 0)], order);
    // dQ of the first row: 64 K of one key and K of another. dK of the first key: 64 q of one row and q of another.
    edit(inputs.k, p.dtype, ([, , j = 0, c = 0]) => {
      if (c < HALF) return 0;
      return order[j] === 0 ? 127 : order[j] === 2 ? (rests[c % 2] ?? 0) : 0;
    });
    edit(inputs.q, p.dtype, ([, , i, c = 0]) => {
      if (c >= HALF || i === 0) return 0;
      return i === 1 ? 127 : (rests[c % 2] ?? 0);
    });
    edit(inputs.v, p.dtype, ([, , j = 0, c]) => (c === 0 ? g(j) : 0));
    edit(inputs.d_out, p.dtype, ([, , i, c]) => (c !== 0 ? 0 : i === 2 ? 1 / 64 : 1));
  },
};

const delta: SuiteSpec = {
  ...plain,
  name: 'anchored/delta',
  shows: 'D wrong by a hundredth or less: dP and D nearly cancel',
  adjust: (inputs, p, below) => {
    const order = permutation(16, below);
    const s = sign(below);
    uniform(inputs, p);
    // Keys come in pairs with dS of either sign, so dQ is an exact zero, and Σ P K is not.
    edit(inputs.k, p.dtype, ([, , j = 0, c = 0]) =>
      c < HALF ? 0 : (Math.floor((order[j] ?? 0) / 2) % 4) + 1,
    );
    edit(inputs.d_out, p.dtype, ([, , i, c]) => (i === 0 && (c === 0 || c === 1) ? 1 : 0));
    edit(inputs.v, p.dtype, ([, , j = 0, c]) => {
      if (c === 1) return 128;
      return c === 0 ? ((order[j] ?? 0) % 2 === 0 ? s : -s) : 0;
    });
  },
};

const KEYS = 4096;
const BLOCK = 32;

const dropped: SuiteSpec = {
  ...plain,
  name: 'anchored/dropped-key',
  shows: 'one key of 4096 left out or met twice: component c of O tells of the keys from 32c on',
  seq_q: 1,
  seq_kv: KEYS,
  head_dim: 2,
  head_dim_v: KEYS / BLOCK,
  ranks: 3,
  gradients: false,
  adjust: (inputs, p, below) => {
    const s = sign(below);
    edit(inputs.q, p.dtype, ([, , , c], old) => (c === 0 ? old : 0));
    edit(inputs.k, p.dtype, ([, , , c], old) => (c === 0 ? 0 : old));
    edit(inputs.v, p.dtype, ([, , j = 0, c]) => (Math.floor(j / BLOCK) === c ? s : 0));
  },
};

/** tanh = 1/2, 0, −1/2 and so weights 2, 1, 1/2. */
const CAPPED = [...times(4, 1), ...times(6, 0), ...times(4, -1)];

const softcap: SuiteSpec = {
  ...plain,
  name: 'anchored/softcap',
  shows: 'the softcap or its slope wrong by a half of a hundredth',
  seq_kv: CAPPED.length,
  softcap: 2 * LN_2,
  scale: LN_2 * LN_3,
  adjust: (inputs, p, below) => {
    const order = permutation(CAPPED.length, below);
    const s = sign(below);
    meet(inputs, p, dealt(CAPPED, order));
    // dRaw = P·(3/4)·G: 3G has all digits, and G of either sign cancels in D.
    edit(inputs.k, p.dtype, ([, , j = 0, c = 0], old) =>
      c === 0 ? old : c - HALF === (order[j] ?? 0) % 10 ? 1 : 0,
    );
    edit(inputs.d_out, p.dtype, ([, , i, c]) => (i === 0 && c === 0 ? 1 : 0));
    edit(inputs.v, p.dtype, ([, , j = 0, c]) => {
      const at = order[j] ?? 0;
      const side = CAPPED[at] === 0 ? 0 : at % 2 === 0 ? s : -s;
      return c === 0 ? (side * topOfThree(p)) / 3 : 0;
    });
  },
};

/** One key, so P is 1, and dV a sum of integers, exact in whatever order, with as many digits as the format. */
const valueGradient: SuiteSpec = {
  ...plain,
  name: 'anchored/value-gradient',
  shows: 'dV wrong by a half of a hundredth, or a row left out of its sum',
  heads: 2,
  kv_heads: 2,
  seq_q: 24,
  seq_kv: 1,
  ranks: 2,
  adjust: (inputs, p, below) => {
    const drawn = Array.from({ length: 2 * 24 }, () => below(5));
    const sums = [0, 1].map((h) => drawn.slice(24 * h, 24 * h + 23).reduce((a, b) => a + b, 0));
    edit(inputs.q, p.dtype, () => 0);
    edit(inputs.d_out, p.dtype, ([, h = 0, i = 0, c = 0]) => {
      // The last rows bring what is missing, in numbers that the format has.
      const missing = top(p) - (sums[h] ?? 0);
      const x = i < 23 ? (drawn[24 * h + i] ?? 0) : missing;
      return c % 2 === 0 ? x : -x;
    });
  },
};

export const ANCHORED_PROBES: readonly SuiteSpec[] = [
  scale,
  scoreGradient,
  tie,
  delta,
  dropped,
  softcap,
  valueGradient,
];
