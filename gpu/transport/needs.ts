/**
 * What ranks on threads need of a machine, asked before any of them is started.
 * @module
 */
import { availableParallelism, freemem } from 'node:os';

/** Resident memory of a thread with its engine and its GPU.js kernels; measured 18 to 23 MiB. */
const THREAD_BYTES = 32 * 2 ** 20;
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

/**
 * Throws RangeError, saying what is needed and what is there, where `ranks` threads and `bytes` of
 * tensors and mailboxes are more than the machine can be expected to run.
 */
export function checkThreadNeeds(ranks: number, bytes: number, machine: Machine = here()): void {
  const { cores, free } = machine;
  const most = Math.max(RANKS_ALWAYS, RANKS_A_CORE * cores);
  const needed = ranks * THREAD_BYTES + bytes;
  const needs =
    `${ranks} ranks on threads need ${ranks} threads and about ${mebibytes(needed)}; ` +
    'the transport "simulated" runs any number of ranks on one thread';
  if (ranks > most) {
    throw new RangeError(
      `"partition.ranks" expected at most ${most} on threads of ${cores} cores, got ${ranks}: ${needs}`,
    );
  }
  if (needed > free) {
    throw new RangeError(`${needs}; ${mebibytes(free)} of memory are free`);
  }
}
