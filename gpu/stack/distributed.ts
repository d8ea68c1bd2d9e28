/**
 * Attention of a stack's layers over ranks, by any schedule, on any transport and device.
 *
 * A softmax over two sets of keys is two runs of the schedule and a merge of two partial results on
 * each rank; backward both sets get the merged O and LSE, of which the probabilities of the whole row
 * follow. A backward pass starts from blocks that an earlier run has finished: the forward pass is not
 * run again.
 * @module
 */
import { entry } from '../../reference/numbers/nth.ts';
import { block, type Tensor, tensorOf, toFlat } from '../../reference/numbers/tensor.ts';
import type { Shard } from '../context.ts';
import type { Device, Real } from '../device/device.ts';
import { shared } from '../distribute.ts';
import type { RankResult } from '../rank.ts';
import type { RanksRun } from '../run-options.ts';
import type { Direction, Schedule } from '../schedule.ts';
import { SCHEDULES, type ScheduleName } from '../schedules/index.ts';
import type { MakeSchedule } from '../schedules/parts.ts';
import { startOf } from '../wire.ts';
import {
  type AttentionGradients,
  type Finished,
  type KeySet,
  type KeySource,
  type LayerAttention,
  masksOf,
} from './attention.ts';
import { type DeviceNumbers, isReal } from './numbers.ts';
import { zip } from './rows.ts';
import type { StackInputs, StackShape } from './shape.ts';

/** What carries a schedule out. */
export interface Carrier {
  readonly schedule: ScheduleName;
  readonly run: (shards: readonly Shard[], passes: readonly Schedule[]) => Promise<RanksRun>;
  /** A device of the ranks' kind, for merges between runs. */
  readonly machine: Device;
}

/** What the runs of a stack's attention came to, added up over its layers. */
export interface Traffic {
  /** How often a schedule was run, forward and backward: once for each set of keys of a softmax. */
  readonly passes: Record<Direction, number>;
  readonly messages: number;
  /** Elements that each rank has sent. */
  readonly elements: Record<Direction, number[]>;
  /** The most bytes that each rank's buffers held at once, of all passes. */
  readonly bufferBytes: number[];
  readonly backend: string;
}

interface Counting {
  passes: Record<Direction, number>;
  messages: number;
  elements: Record<Direction, number[]>;
  bufferBytes: number[];
  backend: string;
}

function count(traffic: Counting, direction: Direction, { log, peakBytes, backend }: RanksRun) {
  traffic.passes[direction]++;
  traffic.backend = backend;
  for (const { rank, operation, elements } of log) {
    if (operation.op !== 'send') continue;
    traffic.messages++;
    const sent = traffic.elements[direction];
    sent[rank] = (sent[rank] ?? 0) + elements;
  }
  for (const [rank, bytes] of peakBytes.entries()) {
    traffic.bufferBytes[rank] = Math.max(traffic.bufferBytes[rank] ?? 0, bytes);
  }
}

/** What a rank brings into a pass beside what is the same for all. */
interface Own {
  readonly q: Real;
  readonly k: Real;
  readonly v: Real;
  readonly back: { readonly dOut: Real; readonly out: Real; readonly lse: Real } | null;
}

/** A schedule's runs for one stack. */
class Passes<T> {
  readonly #carrier: Carrier;
  readonly #masks: Readonly<Record<KeySource, ReturnType<typeof masksOf>>>;
  readonly #mediaText: readonly Real[];
  readonly traffic: Counting;

  constructor(shape: StackShape, media: Media<T>, carrier: Carrier) {
    this.#carrier = carrier;
    this.#masks = {
      text: masksOf(shape, media, 'text'),
      visual: held(masksOf(shape, media, 'visual')),
    };
    const { ranks, q } = shape.partition;
    this.#mediaText = q.map((rows, rank) => {
      if (media.mediaText === null) return carrier.machine.make(0);
      const own = carrier.machine.make(shape.batch * rows);
      own.set(toFlat(block(media.mediaText, 1, startOf(q, rank), rows)));
      return own;
    });
    const zeros = () => new Array<number>(ranks).fill(0);
    this.traffic = {
      passes: { forward: 0, backward: 0 },
      messages: 0,
      elements: { forward: zeros(), backward: zeros() },
      bufferBytes: zeros(),
      backend: carrier.machine.backend,
    };
  }

  async run(direction: Direction, from: KeySource, ranks: readonly Own[]): Promise<RankResult[]> {
    const { schedule, run } = this.#carrier;
    const { parameters } = this.#masks[from];
    const make: MakeSchedule = SCHEDULES[schedule];
    const pass = make(parameters.partition, direction, { heads: parameters.heads });
    const done = await run(
      ranks.map((own, rank) => this.#shard(from, rank, own)),
      [pass],
    );
    count(this.traffic, direction, done);
    return [...done.results];
  }

  #shard(from: KeySource, rank: number, { q, k, v, back }: Own): Shard {
    const { parameters, inputs } = this.#masks[from];
    const { batch, heads, partition } = parameters;
    const { make } = this.#carrier.machine;
    const none = make(0);
    const { media_key } = inputs;
    return {
      rank,
      parameters,
      ...{ q, k, v, y: none, wK: none, wV: none, sink: none },
      dOut: back?.dOut ?? none,
      dLse: make(batch * heads * (partition.q[rank] ?? 0)),
      out: back?.out ?? none,
      lse: back?.lse ?? none,
      mediaText: parameters.media === null ? none : (this.#mediaText[rank] ?? none),
      inputs: media_key === undefined ? {} : { media_key },
    };
  }
}

type Media<T> = Pick<StackInputs<T>, 'mediaText' | 'mediaKey'>;

/** Masks in memory that ranks share. */
function held(masks: ReturnType<typeof masksOf>): ReturnType<typeof masksOf> {
  const { media_key: key } = masks.inputs;
  if (key === undefined) return masks;
  const data = shared('f64', toFlat(key));
  return { ...masks, inputs: { ...masks.inputs, media_key: tensorOf<number>(data, key.shape) } };
}

/** A finished block, or a partial result of one, as a device gave it. */
type Block = Pick<RankResult, 'out' | 'lse'>;

/** An LSE as a device gave it. */
function lseOf({ lse }: Finished<unknown>): Real {
  if (isReal(lse)) return lse;
  throw new TypeError('ranks expected an LSE that ranks have made');
}

/** A stack's queries and keys as a device takes them. */
const ownOf = <T>(
  { toDevice }: DeviceNumbers<T>,
  q: Tensor<T>,
  { k, v }: KeySet<T>,
  rank: number,
): Omit<Own, 'back'> => ({
  q: toDevice(q),
  k: toDevice(entry(k, rank)),
  v: toDevice(entry(v, rank)),
});

/** Two partial results of a rank's rows put together. spec (22) */
async function merged({ machine }: Carrier, a: Block, b: Block, width: number): Promise<Block> {
  const { write, merge, read } = machine;
  const partial = ({ out, lse }: Block) => ({ out: write(out), lse: write(lse) });
  const { out, lse } = await merge(partial(a), partial(b), width);
  return { out: await read(out), lse: await read(lse) };
}

/** One softmax's gradients, set after set. */
async function backward<T>(
  numbers: DeviceNumbers<T>,
  { batch, heads, kv_heads, head_dim }: StackShape,
  passes: Passes<T>,
  [q, sets, finished, dOut]: Parameters<LayerAttention<T>['backward']>,
): Promise<AttentionGradients<T>> {
  const { arithmetic, toDevice, fromDevice } = numbers;
  const dQ: Tensor<T>[][] = [];
  const ofSets: AttentionGradients<T>['sets'][number][] = [];
  for (const set of sets) {
    const own = q.map((queries, rank): Own => {
      const block = entry(finished, rank);
      const back = {
        ...{ dOut: toDevice(entry(dOut, rank)), out: toDevice(block.out), lse: lseOf(block) },
      };
      return { ...ownOf(numbers, queries, set, rank), back };
    });
    const results = await passes.run('backward', set.from, own);
    const ofKeys = (pick: (result: RankResult) => Real): Tensor<T>[] =>
      results.map((result, rank) => {
        const keys = entry(set.k, rank).shape[2] ?? 0;
        return fromDevice(pick(result), [batch, kv_heads, keys, head_dim]);
      });
    dQ.push(
      results.map((result, rank) =>
        fromDevice(result.dQ, [batch, heads, entry(q, rank).shape[2] ?? 0, head_dim]),
      ),
    );
    ofSets.push({ dK: ofKeys((result) => result.dK), dV: ofKeys((result) => result.dV) });
  }
  const sum = (a: Tensor<T>, b: Tensor<T>) => zip(arithmetic, a, b, arithmetic.add);
  return {
    dQ: q.map((_, rank) => dQ.map((blocks) => entry(blocks, rank)).reduce(sum)),
    sets: ofSets,
  };
}

/** Attention over ranks, and what it has sent and held so far. */
export function distributedAttention<T>(
  numbers: DeviceNumbers<T>,
  shape: StackShape,
  media: Media<T>,
  carrier: Carrier,
): LayerAttention<T> & { readonly traffic: Traffic } {
  const passes = new Passes(shape, media, carrier);
  return {
    traffic: passes.traffic,
    forward: async (q, sets) => {
      let whole: readonly Block[] | null = null;
      for (const set of sets) {
        const own = q.map((rows, rank) => ({ ...ownOf(numbers, rows, set, rank), back: null }));
        const parts: readonly Block[] = await passes.run('forward', set.from, own);
        const before: readonly Block[] | null = whole;
        whole =
          before === null
            ? parts
            : await Promise.all(
                parts.map((part, rank) =>
                  merged(carrier, entry(before, rank), part, shape.head_dim),
                ),
              );
      }
      return (whole ?? []).map(({ out, lse }, rank) => ({
        out: numbers.fromDevice(out, entry(q, rank).shape),
        lse,
      }));
    },
    backward: (...given) => backward(numbers, shape, passes, given),
  };
}
