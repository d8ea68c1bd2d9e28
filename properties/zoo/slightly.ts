/**
 * Factors a little off: what bounds that let a program round everything twice cannot see in half precision, and
 * what a fused kernel's bounds do. Each is judged at the profile `fused-kernel` of its format.
 * @module
 */
import type { OutputName } from '../../reference/case/case.ts';
import { HONEST } from './host/honest.ts';
import type { Seams } from './host/seams.ts';

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
export const deltaTimes = (factor: number): Partial<Seams> => ({
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
