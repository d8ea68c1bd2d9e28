/**
 * Shapes that broadcast to [B, Hq, Sq, Skv]: every subset of axes, leading axes missing or of extent 1.
 * @module
 */
import fc from 'fast-check';
import type { Shape } from './shape.ts';

/** Which axes are full, and how many leading axes of extent 1 are left out. */
export interface Axes {
  readonly batch: boolean;
  readonly heads: boolean;
  readonly queries: boolean;
  readonly keys: boolean;
  readonly dropped: number;
}

/** Any of the sixteen subsets, written with four, three, two or one axes. */
export function axesArbitrary(): fc.Arbitrary<Axes> {
  return fc.record({
    batch: fc.boolean(),
    heads: fc.boolean(),
    queries: fc.boolean(),
    keys: fc.boolean(),
    dropped: fc.nat({ max: 3 }),
  });
}

/** The shape for one case; only axes of extent 1 in front are left out. */
export function broadcastShape(axes: Axes, shape: Shape): number[] {
  const full = [
    axes.batch ? shape.batch : 1,
    axes.heads ? shape.heads : 1,
    axes.queries ? shape.seq_q : 1,
    axes.keys ? shape.seq_kv : 1,
  ];
  const firstKept = full.findIndex((extent) => extent !== 1);
  const droppable = firstKept === -1 ? 3 : firstKept;
  return full.slice(Math.min(axes.dropped, droppable));
}
