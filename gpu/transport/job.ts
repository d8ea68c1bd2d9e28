/**
 * What a worker thread is told and what it tells back: plain values and shared memory only.
 * @module
 */
import type { InputName } from '../../reference/case/case.ts';
import { type Storage, tensorOf } from '../../reference/numbers/tensor.ts';
import type { Shard } from '../context.ts';
import type { RankEvent } from '../interpreter.ts';
import type { RankResult } from '../rank.ts';
import type { Schedule } from '../schedule.ts';
import type { Mailboxes } from './threads.ts';
import type { Place } from './transport.ts';

/** A tensor as flat data and shape, since views do not travel between threads. */
interface FlatTensor {
  readonly data: Storage<number>;
  readonly shape: readonly number[];
}

export interface Job {
  readonly id: number;
  readonly device: 'webasm' | 'cpu' | 'reference';
  readonly shard: Omit<Shard, 'inputs'>;
  readonly inputs: Partial<Record<InputName, FlatTensor>>;
  /** The passes, with this rank's operations. */
  readonly passes: readonly Schedule[];
  readonly mailboxes: Mailboxes;
  readonly timeoutMs: number;
  readonly observing: boolean;
  readonly timing: boolean;
  /** Operations that each rank has done, in memory that all share. */
  readonly progress: Int32Array;
}

export type Answer =
  | {
      readonly id: number;
      readonly ok: true;
      readonly result: RankResult;
      readonly backend: string;
      readonly log: readonly RankEvent[];
      readonly peakBytes: number;
    }
  | ({
      readonly id: number;
      readonly ok: false;
      readonly reason: string;
      /** Whether it has waited for another rank in vain. */
      readonly late: boolean;
    } & Place);

/** A shard without its tensors' methods. */
export function flattenInputs({ inputs }: Shard): Job['inputs'] {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { data, shape }]) => [name, { data, shape }]),
  );
}

/** The shard of a job, its tensors put on their views again. */
export function shardOf(job: Job): Shard {
  const inputs: Shard['inputs'] = {};
  for (const [name, { data, shape }] of Object.entries(job.inputs)) {
    inputs[name as InputName] = tensorOf(data, shape);
  }
  return { ...job.shard, inputs };
}
