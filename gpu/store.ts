/**
 * The named buffers of a rank: what each holds, under the label that it bears, and their bytes.
 *
 * A label comes with the numbers from where they are made and goes with them through merges and
 * messages; no operation relabels what it has not made.
 * @module
 */
import type { Data } from './device/device.ts';
import type { BufferName, Kind } from './schedule.ts';
import { type Label, type PartName, showLabel } from './wire.ts';

/** Numbers by the names of their parts, and which numbers they are. */
export interface Held {
  readonly label: Label;
  readonly parts: ReadonlyMap<PartName, Data>;
}

/** A part that a kind must have. Throws where it is missing. */
export function partOf({ label, parts }: Held, name: PartName): Data {
  const part = parts.get(name);
  if (part === undefined) throw new Error(`${showLabel(label)} expected a part "${name}"`);
  return part;
}

export class Store {
  readonly #buffers = new Map<BufferName, Held>();
  readonly #rank: number;
  readonly #bytesPerElement: number;
  #peak = 0;

  constructor(rank: number, bytesPerElement: number) {
    this.#rank = rank;
    this.#bytesPerElement = bytesPerElement;
  }

  /** What a buffer holds; throws where it holds nothing, or another kind of thing. */
  get(name: BufferName, kind?: Kind): Held {
    const held = this.#buffers.get(name);
    if (held === undefined) throw new Error(`rank ${this.#rank}: buffer "${name}" holds nothing`);
    if (kind !== undefined && held.label.kind !== kind) {
      throw new Error(
        `rank ${this.#rank}: buffer "${name}" expected ${kind}, holds ${showLabel(held.label)}`,
      );
    }
    return held;
  }

  set(name: BufferName, held: Held): void {
    this.#buffers.set(name, held);
    this.#peak = Math.max(this.#peak, this.bytes());
  }

  release(name: BufferName): void {
    this.#buffers.delete(name);
  }

  clear(): void {
    this.#buffers.clear();
  }

  entries(): readonly (readonly [BufferName, Held])[] {
    return [...this.#buffers];
  }

  /** Bytes in all buffers; numbers that two buffers share count once. */
  bytes(): number {
    const seen = new Set<Data>();
    for (const { parts } of this.#buffers.values())
      for (const part of parts.values()) seen.add(part);
    return [...seen].reduce((sum, { length }) => sum + length * this.#bytesPerElement, 0);
  }

  /** The most bytes that were held at once since the store was made. */
  get peakBytes(): number {
    return this.#peak;
  }
}
