/**
 * Room for results under way.
 * @module
 */

/** Makes arrays of zeros for results under way; an array is free again when its name is asked for anew. */
export type Room = (name: string, length: number) => Float64Array;

/** A new array each time. */
export const fresh: Room = (_, length) => new Float64Array(length);

/** Arrays that are used again: of dead ones, many MiB would pile up on each thread. */
export function reusedRoom(): Room {
  const known = new Map<string, Float64Array>();
  return (name, length) => {
    let array = known.get(name);
    if (array === undefined || array.length < length) {
      array = new Float64Array(length);
      known.set(name, array);
    }
    return array.subarray(0, length).fill(0);
  };
}
