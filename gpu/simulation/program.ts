/**
 * What every rank of a simulation does, step by step as the clock asks for it: a thousand ranks have
 * ten million steps, which nobody holds.
 *
 * A step remembers which operation it comes from, so that a name for it is made only where somebody
 * reads it.
 * @module
 */

export const END = 0;
export const COMPUTE = 1;
export const SEND = 2;
export const RECEIVE = 3;

/** Names an operation of a rank, for people. */
export type NameOf = (rank: number, source: number) => string;

/** A step: one for all, overwritten with each. */
export interface Step {
  /** Which of the rank's operations it comes from. */
  source: number;
  /** Seconds of computing, bytes of a message that is sent. */
  amount: number;
  /** To whom, or from whom, and on which of the lanes. */
  peer: number;
  lane: number;
  /** Of a message that is sent: what its receiver is told. */
  cargo: number;
}

/** The steps of all ranks, to go through once. */
export interface Programs {
  readonly ranks: number;
  /** Names of the lanes that messages went over so far. */
  readonly lanes: readonly string[];
  readonly nameOf: NameOf;
  readonly memory: Memory;
  /** What `next` found. */
  readonly step: Readonly<Step>;
  /** Goes to a rank's next step: COMPUTE, SEND or RECEIVE, or END after the last. */
  next(rank: number): number;
  /** The message is there that the rank's last step waits for. */
  arrived(rank: number, cargo: number): void;
}

/** Bytes that ranks hold: they depend on the order of a rank's steps, not on times. */
export class Memory {
  readonly #held: Float64Array;
  readonly peak: Float64Array;

  constructor(ranks: number) {
    [this.#held, this.peak] = [new Float64Array(ranks), new Float64Array(ranks)];
  }

  /** So many bytes more are held from here on, or fewer. */
  hold(rank: number, bytes: number): void {
    const held = (this.#held[rank] ?? 0) + bytes;
    this.#held[rank] = held;
    if (held > (this.peak[rank] ?? 0)) this.peak[rank] = held;
  }
}
