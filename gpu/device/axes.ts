/**
 * Moving numbers about: parts of arrays along an axis, and the place of a pair in a broadcast bias.
 * @module
 */
import type { AxisShape, BiasAxes, BlockShape, Real } from './device.ts';

/** Part of an array along its middle axis. */
export function sliceAxis(
  values: Real,
  { outer, extent, inner }: AxisShape,
  [from, to]: readonly [number, number],
  into: Real,
): Real {
  for (let o = 0; o < outer; o++) {
    const start = (o * extent + from) * inner;
    into.set(values.subarray(start, start + (to - from) * inner), o * (to - from) * inner);
  }
  return into;
}

/** Arrays behind one another along their middle axis. */
export function concatAxis(parts: readonly Real[], shapes: readonly AxisShape[], into: Real): Real {
  const outer = shapes[0]?.outer ?? 0;
  let at = 0;
  for (let o = 0; o < outer; o++) {
    parts.forEach((part, n) => {
      const run = (shapes[n]?.extent ?? 0) * (shapes[n]?.inner ?? 0);
      into.set(part.subarray(o * run, (o + 1) * run), at);
      at += run;
    });
  }
  return into;
}

/** Arrays behind one another, and views on a whole by their lengths. */
export function packArrays(parts: readonly Real[], into: Real): Real {
  let at = 0;
  for (const part of parts) {
    into.set(part, at);
    at += part.length;
  }
  return into;
}
export function unpackArrays(payload: Real, lengths: readonly number[]): Real[] {
  let at = 0;
  return lengths.map((length) => {
    at += length;
    return payload.subarray(at - length, at);
  });
}

/** Where in an array with the given axes of [batch, heads, rows, keys] a pair belongs. */
export function biasPlace(
  { heads, rows, keys }: Pick<BlockShape, 'heads' | 'rows' | 'keys'>,
  [hasBatch, hasHeads, hasRows, hasKeys]: BiasAxes,
  pair: number,
): number {
  const j = pair % keys;
  const i = Math.floor(pair / keys) % rows;
  const h = Math.floor(pair / (keys * rows)) % heads;
  const b = Math.floor(pair / (keys * rows * heads));
  let place = hasBatch ? b : 0;
  if (hasHeads) place = place * heads + h;
  if (hasRows) place = place * rows + i;
  return hasKeys ? place * keys + j : place;
}
