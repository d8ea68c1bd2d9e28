/**
 * What ranks on threads or in processes need of a machine, asked before any of them is started.
 * @module
 */
import { availableParallelism, freemem } from 'node:os';
import { elementCount } from '../../reference/numbers/tensor.ts';
import type { Shard } from '../context.ts';

/** Resident memory of a thread with its engine and its GPU.js kernels; measured 18 to 23 MiB. */
const THREAD_BYTES = 32 * 2 ** 20;
/** The same of a process; measured 70 to 87 MiB. */
const PROCESS_BYTES = 128 * 2 ** 20;
/** Ranks of one case wait for one another, so that many threads on few cores come to a stand. */
const RANKS_A_CORE = 8;
const RANKS_ALWAYS = 32;

export interface Machine {
  readonly cores: number;
  /** Bytes of memory that can be had. */
  readonly free: number;
}

const here = (): Machine => ({ cores: availableParallelism(), free: freemem() });

const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;

/** Bytes of the ranks' inputs, which every thread and process holds a copy of its part of. */
export function inputBytesOf(shards: readonly Shard[]): number {
  const tensors = shards.flatMap(({ inputs }) => Object.values(inputs));
  return tensors.reduce((sum, { shape }) => sum + 8 * elementCount(shape), 0);
}

/** Bytes of everything that ranks are dealt. */
export function shardBytesOf(shards: readonly Shard[]): number {
  const arrays = shards.flatMap(({ q, dOut, dLse, k, v, y, wK, wV }) => {
    return [q, dOut, dLse, k, v, y, wK, wV];
  });
  return arrays.reduce((sum, { byteLength }) => sum + byteLength, inputBytesOf(shards));
}

function checkNeeds(
  where: 'threads' | 'processes',
  ranks: number,
  needed: number,
  { cores, free }: Machine,
): void {
  const most = Math.max(RANKS_ALWAYS, RANKS_A_CORE * cores);
  const place = where === 'threads' ? 'on threads' : 'in processes';
  const needs =
    `${ranks} ranks ${place} need ${ranks} ${where} and about ${mebibytes(needed)}; ` +
    'the transport "simulated" runs any number of ranks on one thread';
  if (ranks > most) {
    throw new RangeError(
      `"partition.ranks" expected at most ${most} ${place} of ${cores} cores, got ${ranks}: ${needs}`,
    );
  }
  if (needed > free) {
    throw new RangeError(`${needs}; ${mebibytes(free)} of memory are free`);
  }
}

/**
 * Throws RangeError, saying what is needed and what is there, where `ranks` threads and `bytes` of
 * tensors and mailboxes are more than the machine can be expected to run.
 */
export function checkThreadNeeds(ranks: number, bytes: number, machine: Machine = here()): void {
  checkNeeds('threads', ranks, ranks * THREAD_BYTES + bytes, machine);
}

/** The same of processes. What is dealt is there once as it is packed, and once at the ranks. */
export function checkProcessNeeds(ranks: number, bytes: number, machine: Machine = here()): void {
  checkNeeds('processes', ranks, ranks * PROCESS_BYTES + 2 * bytes, machine);
}
