/**
 * Which query rows and which keys of a case are asked about, the same for every head.
 *
 * Rows are those of out, lse and dQ, keys those of dK, dV and dY. Sums over the whole case (dBias,
 * dSink, dW_K, dW_V) have no part that a few rows or keys would settle, so a sample leaves them out.
 * @module
 */

import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { entry } from '../numbers/nth.ts';
import { flatOf, indexOf } from '../numbers/tensor.ts';
import type { AttentionCase, CaseParameters, OutputName } from './case.ts';
import { outputShape, shardedAlong } from './case-shapes.ts';
import { isMerge } from './merge-case.ts';

/** Rising positions; null = all. */
export interface Sample {
  readonly rows: readonly number[] | null;
  readonly keys: readonly number[] | null;
}

/** All of a case. */
export const EVERYTHING: Sample = { rows: null, keys: null };

/** How many to draw, or which. */
export type SampleSize = number | readonly number[];

/** `count` different positions below `extent`, rising, drawn from a seed; all of them if it has no more. */
export function drawPositions(seed: number, count: number, extent: number): number[] {
  const generator = xoroshiro128plus(seed);
  const chosen = new Set<number>();
  // Floyd's sampling: every subset of the size is equally likely.
  for (let n = Math.max(0, extent - count); n < extent; n++) {
    const drawn = uniformInt(generator, 0, n);
    chosen.add(chosen.has(drawn) ? n : drawn);
  }
  return [...chosen].sort((a, b) => a - b);
}

function positions(
  name: 'rows' | 'keys',
  size: SampleSize,
  extent: number,
  seed: number,
): number[] {
  if (typeof size === 'number') {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new RangeError(`"${name}" expected a whole number or a list of positions, got ${size}`);
    }
    return drawPositions(seed, size, extent);
  }
  for (const at of size) {
    if (!Number.isInteger(at) || at < 0 || at >= extent) {
      throw new RangeError(`"${name}" expected positions in 0..${extent - 1}, got ${at}`);
    }
  }
  return [...new Set(size)].sort((a, b) => a - b);
}

/** The rows and keys meant; absent = all. Throws RangeError for positions that the case lacks. */
export function sampleOf(
  { op, seq_q, seq_kv }: CaseParameters,
  { rows, keys, seed = 0 }: { rows?: SampleSize; keys?: SampleSize; seed?: number },
): Sample {
  for (const [name, size] of Object.entries({ rows, keys })) {
    if (size === undefined || !isMerge({ op })) continue;
    throw new RangeError(`"${name}" expected none of a merge, which is taken whole`);
  }
  return {
    rows: rows === undefined ? null : positions('rows', rows, seq_q, seed),
    keys: keys === undefined ? null : positions('keys', keys, seq_kv, seed + 1),
  };
}

/** The positions along which an output is sampled; null = whole; undefined = not in a sample. */
function chosenOf(sample: Sample, output: OutputName): readonly number[] | null | undefined {
  const along = shardedAlong(output);
  if (along === null) return sample.rows === null && sample.keys === null ? null : undefined;
  return along.by === 'q' ? sample.rows : sample.keys;
}

/** Is the output part of the sample? */
export const isSampled = (sample: Sample, output: OutputName): boolean =>
  chosenOf(sample, output) !== undefined;

/** Shape of an output's sample, and where its flat positions lie in the whole output. */
export function sampledOutput(attentionCase: AttentionCase, sample: Sample, output: OutputName) {
  const whole = outputShape(attentionCase, output);
  const chosen = chosenOf(sample, output) ?? null;
  const axis = shardedAlong(output)?.axis ?? 0;
  const shape = chosen === null ? whole : whole.map((n, at) => (at === axis ? chosen.length : n));
  const wholeFlat = (flat: number): number => {
    if (chosen === null) return flat;
    const index = indexOf(shape, flat);
    index[axis] = entry(chosen, entry(index, axis));
    return flatOf(whole, index);
  };
  return { shape, whole, wholeFlat };
}
