/**
 * What a rank keeps of the forward pass for the backward pass, and how many bytes that is.
 *
 * The backward pass reads from here and from nowhere else, so what is counted is what it needs.
 * Bytes are those of the storage that is really held; storage that is held twice counts once.
 * @module
 */
import type { Tensor } from '../../reference/numbers/tensor.ts';
import type { Data } from '../device/device.ts';

/** What is kept: the features of all layers, and of each layer some of these. */
export const KEPT_NAMES = ['y', 'x', 'q', 'k', 'v', 'kText', 'vText', 'out', 'lse'] as const;
export type KeptName = (typeof KEPT_NAMES)[number];
export type KeptBytes = Readonly<Record<KeptName, number>>;

interface Kept {
  readonly name: KeptName;
  readonly value: unknown;
  readonly storage: object;
  readonly bytes: number;
}

/** Storage as large as what it holds; anything that is no array of numbers counts 8 bytes each. */
function storageOf(value: Tensor<unknown> | Data): Pick<Kept, 'storage' | 'bytes'> {
  const data = 'data' in value ? value.data : value;
  const bytes = ArrayBuffer.isView(data) ? data.byteLength : 8 * data.length;
  return { storage: data, bytes };
}

const NOTHING = Object.fromEntries(KEPT_NAMES.map((name) => [name, 0])) as KeptBytes;

export class Tape {
  readonly #kept = new Map<string, Kept>();
  #peakBytes = 0;
  #atPeak = NOTHING;

  /** Keeps a value under a layer, a name and a number. */
  keep<V extends Tensor<never> | Tensor<unknown> | Data>(
    layer: number,
    name: KeptName,
    value: V,
    n = 0,
  ): V {
    this.#kept.set(`${layer} ${name} ${n}`, { name, value, ...storageOf(value as Data) });
    const now = this.bytes();
    const sum = Object.values(now).reduce((a, b) => a + b, 0);
    if (sum > this.#peakBytes) [this.#peakBytes, this.#atPeak] = [sum, now];
    return value;
  }

  /** A tensor that was kept. Throws where none was. */
  tensor<T>(layer: number, name: KeptName, n = 0): Tensor<T> {
    return this.#get(layer, name, n) as Tensor<T>;
  }

  data(layer: number, name: KeptName, n = 0): Data {
    return this.#get(layer, name, n) as Data;
  }

  #get(layer: number, name: KeptName, n: number): unknown {
    const kept = this.#kept.get(`${layer} ${name} ${n}`);
    if (kept === undefined) throw new Error(`layer ${layer} has kept no "${name}" ${n}`);
    return kept.value;
  }

  /** A layer needs nothing any more. */
  release(layer: number): void {
    for (const key of [...this.#kept.keys()]) {
      if (key.startsWith(`${layer} `)) this.#kept.delete(key);
    }
  }

  /** Bytes held now, by name. */
  bytes(): KeptBytes {
    const seen = new Set<object>();
    const bytes = { ...NOTHING };
    for (const kept of this.#kept.values()) {
      if (seen.has(kept.storage)) continue;
      seen.add(kept.storage);
      bytes[kept.name] += kept.bytes;
    }
    return bytes;
  }

  /** The most bytes that were held at once, and of what. */
  get peakBytes(): number {
    return this.#peakBytes;
  }
  get atPeak(): KeptBytes {
    return this.#atPeak;
  }
}
