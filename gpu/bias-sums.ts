/**
 * dBias as a rank adds it up: only the elements that its own pairs are added to.
 *
 * Along axes that the bias has, each block pair has elements of its own; along axes that it
 * broadcasts over, blocks share them. So no rank holds more of dBias than it has pairs, and nothing
 * of the size of all pairs where the bias is smaller.
 * @module
 */
import type { BiasAxes, Data, Device, Real } from './device/device.ts';
import type { PairPlace } from './pairs.ts';

/** Part of dBias: where its elements are, along each axis of [batch, heads, rows, keys]. */
export interface BiasPart {
  /** Places along an axis; null where the bias broadcasts over it. */
  readonly places: readonly (readonly number[] | null)[];
  readonly values: Real;
}

interface Held {
  readonly places: BiasPart['places'];
  readonly sum: Data;
}

/** Which axes a bias of this shape has: [batch, heads, rows, keys], aligned on the right. */
export function biasAxes(shape: readonly number[]): BiasAxes {
  const has = (axis: number): boolean => (shape[shape.length - 4 + axis] ?? 1) !== 1;
  return [has(0), has(1), has(2), has(3)];
}

export class BiasSums {
  readonly #axes: BiasAxes;
  readonly #batch: number;
  readonly #device: Device;
  #parts = new Map<string, Held>();

  constructor(device: Device, batch: number, shape: readonly number[]) {
    [this.#device, this.#batch, this.#axes] = [device, batch, biasAxes(shape)];
  }

  clear(): void {
    this.#parts = new Map();
  }

  /** Adds dS of a block pair. */
  async add(dS: Data, { head, heads, rows, keys }: PairPlace): Promise<void> {
    const along = [
      Array.from({ length: this.#batch }, (_, b) => b),
      Array.from({ length: heads }, (_, h) => head + h),
      rows,
      keys,
    ];
    const places = along.map((axis, n) => (this.#axes[n] ? axis : null));
    const key = JSON.stringify(places.slice(1));
    const count = places.reduce((product, axis) => product * (axis?.length ?? 1), 1);
    const device = this.#device;
    const held = this.#parts.get(key) ?? { places, sum: device.write(device.make(count)) };
    const shape = { batch: this.#batch, heads, rows: rows.length, keys: keys.length };
    const sum = await device.biasGradient(held.sum, dS, shape, this.#axes);
    this.#parts.set(key, { places, sum });
  }

  /** All parts, in the order in which their pairs came. */
  async read(): Promise<BiasPart[]> {
    const parts: BiasPart[] = [];
    for (const { places, sum } of this.#parts.values()) {
      parts.push({ places, values: await this.#device.read(sum) });
    }
    return parts;
  }

  get bytes(): number {
    const elements = [...this.#parts.values()].reduce(
      (sum, { sum: { length } }) => sum + length,
      0,
    );
    return elements * this.#device.bytesPerElement;
  }
}
