/**
 * Shards and results as headers and bytes: arrays behind one another, under their names and lengths.
 * @module
 */
import type { z } from 'zod';
import type { CaseInputs } from '../../reference/case/case.ts';
import { validateParameters } from '../../reference/case/validate.ts';
import { elementCount, type Tensor, tensorOf } from '../../reference/numbers/tensor.ts';
import type { Shard } from '../context.ts';
import type { Real } from '../device/device.ts';
import type { RankEvent } from '../interpreter.ts';
import type { RankResult } from '../rank.ts';
import { jsonOf } from './frames.ts';
import { type jobHeader, logOf, type resultHeader } from './headers.ts';

/** The bytes of arrays behind one another, as memory of their own. */
export function bytesOf(arrays: readonly Pick<Real, 'buffer' | 'byteOffset' | 'byteLength'>[]) {
  const bytes = new Uint8Array(arrays.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const { buffer, byteOffset, byteLength } of arrays) {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  }
  return bytes;
}

/** Arrays out of bytes, in their order. Each is memory of its own. */
export class Unpacker {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  #slice(length: number): ArrayBuffer {
    const left = this.#bytes.length - this.#at;
    if (length > left) throw new RangeError(`a payload expected ${length} more bytes, has ${left}`);
    const slice = new Uint8Array(this.#bytes.subarray(this.#at, this.#at + length)).buffer;
    this.#at += length;
    return slice;
  }

  reals(length: number, bytesPerElement: 4 | 8): Real {
    const memory = this.#slice(length * bytesPerElement);
    return bytesPerElement === 4 ? new Float32Array(memory) : new Float64Array(memory);
  }

  json(length: number): unknown {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(this.#slice(length)));
  }

  /** Throws RangeError where bytes are left over. */
  end(): void {
    const left = this.#bytes.length - this.#at;
    if (left !== 0) throw new RangeError(`a payload expected ${this.#at} bytes, has ${left} more`);
  }
}

const SHARD_ARRAYS = [
  ...(['q', 'dOut', 'dLse', 'mediaText', 'k', 'v', 'y', 'wK', 'wV', 'sink', 'out', 'lse'] as const),
] as const satisfies readonly Exclude<keyof Shard, 'rank' | 'parameters' | 'inputs'>[];
const RESULT_ARRAYS = [
  ...(['out', 'lse', 'dQ', 'dK', 'dV', 'dY', 'dWK', 'dWV', 'dSink'] as const),
] as const satisfies readonly Exclude<keyof RankResult, 'dBias'>[];

type ShardHeader = z.infer<typeof jobHeader>['shard'];
type ResultHeader = z.infer<typeof resultHeader>;

const flat = ({ data }: Tensor): Real => Float64Array.from(data as ArrayLike<number>);

export function packShard(shard: Shard): { header: ShardHeader; payload: Uint8Array } {
  const inputs = Object.entries(shard.inputs) as [keyof CaseInputs, Tensor][];
  const header: ShardHeader = {
    rank: shard.rank,
    bytesPerElement: shard.q.BYTES_PER_ELEMENT === 4 ? 4 : 8,
    arrays: SHARD_ARRAYS.map((name) => [name, shard[name].length]),
    inputs: inputs.map(([name, { shape }]) => [name, [...shape]]),
  };
  const arrays = [
    ...SHARD_ARRAYS.map((name) => shard[name]),
    ...inputs.map(([, tensor]) => flat(tensor)),
  ];
  return { header, payload: bytesOf(arrays) };
}

/** Arrays by the names that are expected, in this order. */
function named<Name extends string>(
  names: readonly Name[],
  arrays: readonly (readonly [string, number])[],
  bytesPerElement: 4 | 8,
  from: Unpacker,
): Record<Name, Real> {
  const given = arrays.map(([name]) => name).join(', ');
  if (given !== names.join(', ')) {
    throw new RangeError(`"arrays" expected ${names.join(', ')}, got ${given}`);
  }
  const read = arrays.map(([name, length]) => [name, from.reals(length, bytesPerElement)]);
  return Object.fromEntries(read) as Record<Name, Real>;
}

export function unpackShard(
  { rank, arrays, inputs, bytesPerElement }: ShardHeader,
  parameters: unknown,
  payload: Uint8Array,
): Shard {
  const from = new Unpacker(payload);
  const reals = named(SHARD_ARRAYS, arrays, bytesPerElement, from);
  const whole: CaseInputs = {};
  for (const [name, shape] of inputs) {
    whole[name] = tensorOf<number>(from.reals(elementCount(shape), 8), shape);
  }
  from.end();
  return { rank, parameters: validateParameters(parameters), ...reals, inputs: whole };
}

/** What a rank has done, to be sent to whoever collects it. */
export interface Done {
  readonly result: RankResult;
  readonly backend: string;
  readonly log: readonly RankEvent[];
  readonly peakBytes: number;
}

export function packDone(job: number, { result, backend, log, peakBytes }: Done) {
  const events = log.map(({ stamp, pass, step, elements, seen, at, waited, kernel_s }) => {
    return { stamp, pass, step, elements, seen, at, waited, kernel_s };
  });
  const text = new TextEncoder().encode(jsonOf(events));
  const header: ResultHeader = {
    job,
    backend,
    peakBytes,
    arrays: RESULT_ARRAYS.map((name) => [name, result[name].length]),
    bias: result.dBias.map(({ places, values }) => ({
      places: places.map((axis) => (axis === null ? null : [...axis])),
      elements: values.length,
    })),
    logBytes: text.length,
  };
  const arrays = RESULT_ARRAYS.map((name) => result[name]);
  return { header, payload: bytesOf([...arrays, ...result.dBias.map((b) => b.values), text]) };
}

/** A result and its events; what each event was asked to do is looked up by `eventOf`. */
export function unpackDone(
  { arrays, bias, backend, peakBytes, logBytes }: ResultHeader,
  payload: Uint8Array,
  bytesPerElement: 4 | 8,
  eventOf: (event: z.infer<typeof logOf>[number]) => RankEvent,
): Done {
  const from = new Unpacker(payload);
  const reals = named(RESULT_ARRAYS, arrays, bytesPerElement, from);
  const dBias = bias.map(({ places, elements }) => {
    return { places, values: from.reals(elements, bytesPerElement) };
  });
  const log = logOf.parse(from.json(logBytes)).map(eventOf);
  from.end();
  return { result: { ...reals, dBias }, backend, peakBytes, log };
}
