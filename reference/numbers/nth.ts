/**
 * Reading an element that must be there. An index that slips would otherwise read as nothing, and
 * nothing as 0: of a bound, a false proof.
 *
 * `nth` is for float64 arrays alone and `whole` for those of integers, so that the engine sees one kind of array there and loops pay
 * nothing for it; `entry` is for all others.
 * @module
 */

function refuse(length: number, index: number): never {
  throw new RangeError(`"index" expected 0 to ${length - 1}, got ${index}`);
}

/** data[index]; throws RangeError where there is none. */
export function nth(data: Float64Array, index: number): number {
  const value = data[index];
  if (value === undefined) refuse(data.length, index);
  return value;
}

/** The same of 32-bit integers. */
export function whole(data: Int32Array, index: number): number {
  const value = data[index];
  if (value === undefined) refuse(data.length, index);
  return value;
}

/** list[index]; throws RangeError where there is none. */
export function entry<T>(list: ArrayLike<T>, index: number): T {
  const value = list[index];
  if (value === undefined) refuse(list.length, index);
  return value;
}

/** data[index], or 0 where there is no array at all. */
export function nthIfAny(data: Float64Array | null | undefined, index: number): number {
  return data === null || data === undefined ? 0 : nth(data, index);
}
