/**
 * Tiles of double-double numbers cut into slices, and their products, in the kernels' memory.
 * @module
 */
import type { KernelModule } from '../module.ts';

/** Terms of a product that is summed without rounding. */
const TERMS = 128;
/** What slice says beside its four bits; assembly/slices.ts. */
const TOO_LARGE = 16;
const REST = 32;

/** A tile of numbers high + low; `low` is 0 where they are float64. */
export interface Pair {
  readonly high: number;
  readonly low: number;
}

/** A tile cut into slices along its lanes, TERMS numbers of each lane at a time. */
export interface Sliced {
  readonly parts: readonly {
    readonly at: number;
    /** Bytes from one slice to the next. */
    readonly bytes: number;
    /** The slices that some panel has, from the lowest bit on. */
    readonly bits: number;
    readonly depth: number;
  }[];
  /** A number was too large, or none. */
  readonly failed: boolean;
  /** The slices are float64 numbers without a rest. */
  readonly whole: boolean;
}

/** Doubles behind the slices for what each panel has of them: more than it needs, to keep addresses even. */
const PANEL_BITS = 2;

/** Doubles that the slices of `lanes` lanes of `depth` numbers take. */
export const slicedSize = (lanes: number, depth: number): number =>
  Math.ceil(lanes / 4) * (16 * depth + PANEL_BITS * Math.ceil(depth / TERMS));

/** Cuts lanes that are `laneStep` doubles apart, their numbers `step` doubles. */
export function cut(
  { run }: KernelModule,
  { high, low }: Pair,
  [laneStep, step]: readonly [number, number],
  lanes: number,
  depth: number,
  to: number,
): Sliced {
  const parts: Sliced['parts'][number][] = [];
  let [at, failed, whole] = [to, false, low === 0];
  for (let first = 0; first < depth; first += TERMS) {
    const count = Math.min(TERMS, depth - first);
    const panels = Math.ceil(lanes / 4);
    const bytes = panels * 4 * count * 8;
    const skip = first * step * 8;
    const from = low === 0 ? 0 : low + skip;
    const bits = run.slice(high + skip, from, laneStep * 8, step * 8, lanes, count, at, bytes);
    failed ||= (bits & TOO_LARGE) !== 0;
    whole &&= (bits & REST) === 0;
    parts.push({ at, bytes, bits: bits & 15, depth: count });
    at += 4 * bytes + panels * PANEL_BITS * 8;
  }
  return { parts, failed, whole };
}

/** Slices from the first to the last that is not zero. */
const count = (bits: number): number => 32 - Math.clz32(bits);

/** Does `addSliced` leave nothing of this product out? */
export function lossless(a: Sliced, b: Sliced): boolean {
  if (!a.whole || !b.whole) return false;
  return a.parts.every(({ bits }, n) => count(bits) + count(b.parts[n]?.bits ?? 0) <= 5);
}

/** The pair [rows, columns], row length `stride`, gains A B. */
export function addSliced(
  { run }: KernelModule,
  a: Sliced,
  b: Sliced,
  [rows, columns, stride]: readonly [number, number, number],
  { high, low }: Pair,
): void {
  a.parts.forEach((left, n) => {
    const right = b.parts[n];
    if (right === undefined) return;
    const [from, to] = [
      [left.at, left.bytes],
      [right.at, right.bytes],
    ] as const;
    run.multiplySlices(...from, ...to, rows, columns, left.depth, stride, high, low);
  });
}
