/**
 * Factors a little off: what bounds that let a program round everything twice cannot see in half precision, and
 * what a fused kernel's bounds do. Each is judged at the profile `fused-kernel` of its format.
 * @module
 */
import type { OutputName } from '../../../reference/case/case.ts';
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';
import type { Seams } from '../host/seams.ts';

/** Every score times a factor, in both passes. */
export const scaleTimes = (factor: number): Partial<Seams> => ({
  scale: (x, pass) => x.round.score(factor * HONEST.scale(x, pass)),
});

/** dS, before it is rounded, times a factor. */
export const scoreGradientTimes = (factor: number): Partial<Seams> => ({
  dScore: (x, at, p, g, delta) => x.round.score(factor * HONEST.dScore(x, at, p, g, delta)),
});

/** A gradient, before it is rounded, times a factor. */
export const gradientTimes = (name: OutputName, factor: number): Partial<Seams> => ({
  finishBackward: (_x, gradients) => {
    gradients[name] = gradients[name]?.map((value) => factor * value) ?? new Float64Array();
  },
});

/** D = Σ dO·O times a factor, dLSE as it is. */
const deltaTimes = (factor: number): Partial<Seams> => ({
  delta: (x, row, forward) => {
    const none = { ...x, dLse: new Float64Array(x.dLse.length) };
    const given = HONEST.delta(x, row, forward) - HONEST.delta(none, row, forward);
    return x.round.delta(given + factor * HONEST.delta(none, row, forward));
  },
});

/** One key of the case, by its place among `of` at least, attends to nothing. */
export const keyLost = (place: number, of: number): Partial<Seams> => ({
  visible: (x, at) => HONEST.visible(x, at) && !(x.p.seq_kv >= of && at.j === place),
});

/** What stands for a quantity in a fault's name, the quantity in a sentence, the seams, and the case that shows it. */
const QUANTITIES = {
  scale: ['scale', 'The scale', scaleTimes, 'anchored/scale'],
  dS: ['score-gradient', 'dS', scoreGradientTimes, 'anchored/score-gradient'],
  dQ: ['query-gradient', 'dQ', (by: number) => gradientTimes('d_q', by), 'anchored/score-gradient'],
  dK: ['key-gradient', 'dK', (by: number) => gradientTimes('d_k', by), 'anchored/score-gradient'],
  dV: ['value-gradient', 'dV', (by: number) => gradientTimes('d_v', by), 'anchored/value-gradient'],
  D: ['delta', 'D', deltaTimes, 'anchored/delta'],
} as const;

/** How far off, in words for the name. */
const OFF = { 0.4: 'four-thousandths', 1: 'percent', 2: 'two-percent' } as const;

type Row = readonly [
  quantity: keyof typeof QUANTITIES,
  percent: keyof typeof OFF,
  bf16: 'large' | 'small',
  f16: 'large' | 'small',
];

/** Each at both half formats; too large at one and too small at the other where both can be seen. */
const ROWS: readonly Row[] = [
  ['scale', 2, 'small', 'large'],
  ['scale', 0.4, 'large', 'small'],
  ['dS', 2, 'small', 'large'],
  ['dS', 0.4, 'large', 'small'],
  ['dQ', 2, 'small', 'large'],
  ['dQ', 0.4, 'large', 'small'],
  ['dK', 2, 'small', 'large'],
  ['dK', 0.4, 'large', 'small'],
  ['dV', 0.4, 'large', 'large'],
  ['D', 1, 'large', 'large'],
];

const HALVES = ['bf16', 'f16'] as const;

function timesFault([quantity, percent, ...sizes]: Row, half: 'bf16' | 'f16'): Fault {
  const [named, subject, seams, shownBy] = QUANTITIES[quantity];
  const size = sizes[HALVES.indexOf(half)] ?? 'large';
  const profile = `${half}+fused-kernel` as const;
  return {
    name: `${named}-${OFF[percent]}-off-${half}`,
    wrong: `${subject} is ${percent} % too ${size} in a kernel that declares ${profile}.`,
    seen: 'invented',
    profile,
    shownBy,
    seams: () => seams((100 + (size === 'large' ? percent : -percent)) / 100),
  };
}

const keyFault = (half: 'bf16' | 'f16'): Fault => ({
  name: `one-key-of-4096-lost-${half}`,
  wrong: `Of 4096 keys the one at 1365 is left out, in a kernel that declares ${half}+fused-kernel.`,
  seen: 'invented',
  profile: `${half}+fused-kernel`,
  shownBy: 'anchored/dropped-key',
  seams: () => keyLost(1365, 4096),
});

export const FAULTS: readonly Fault[] = HALVES.flatMap((half) => [
  ...ROWS.map((row) => timesFault(row, half)),
  keyFault(half),
]);
