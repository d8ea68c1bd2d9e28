/**
 * What every rank of a simulation does: steps in columns, for a thousand ranks have ten million.
 *
 * A step remembers which operation it comes from, so that a name for it is made only where somebody
 * reads it.
 * @module
 */

export const COMPUTE = 0;
export const SEND = 1;
export const RECEIVE = 2;
export const HOLD = 3;

/** A rank's steps, one an index; entries from `length` on say nothing. */
export class Column {
  length = 0;
  ops: Uint8Array;
  /** Seconds of computing, bytes of a message or of what is held. */
  amounts: Float64Array;
  /** Of messages, an index into `channels`. */
  channels: Int32Array;
  /** Which of the rank's operations a step comes from. */
  sources: Int32Array;

  constructor(expected: number) {
    const room = Math.max(1, expected);
    this.ops = new Uint8Array(room);
    this.amounts = new Float64Array(room);
    [this.channels, this.sources] = [new Int32Array(room), new Int32Array(room)];
  }

  /** More is held, or less: in a row of either, one step. */
  hold(bytes: number, source: number): void {
    const last = this.length - 1;
    const before = this.ops[last] === HOLD ? (this.amounts[last] ?? 0) : 0;
    if (before * bytes > 0) this.amounts[last] = before + bytes;
    else this.add(HOLD, bytes, -1, source);
  }

  add(op: number, amount: number, channel: number, source: number): void {
    if (this.length === this.ops.length) this.#grow();
    const at = this.length++;
    this.ops[at] = op;
    this.amounts[at] = amount;
    this.channels[at] = channel;
    this.sources[at] = source;
  }

  #grow(): void {
    const longer = 2 * this.length;
    const { ops, amounts, channels, sources } = this;
    this.ops = new Uint8Array(longer);
    this.amounts = new Float64Array(longer);
    [this.channels, this.sources] = [new Int32Array(longer), new Int32Array(longer)];
    this.ops.set(ops);
    this.amounts.set(amounts);
    this.channels.set(channels);
    this.sources.set(sources);
  }
}

/** Names an operation of a rank, for people. */
export type NameOf = (rank: number, source: number) => string;

/** The one-place mailboxes from one rank to another: to whom, and on which of the lanes. */
export class Channels {
  length = 0;
  to = new Int32Array(1024);
  lane = new Int32Array(1024);

  add(to: number, lane: number): number {
    if (this.length === this.to.length) {
      const [before, lanes] = [this.to, this.lane];
      [this.to, this.lane] = [new Int32Array(2 * this.length), new Int32Array(2 * this.length)];
      this.to.set(before);
      this.lane.set(lanes);
    }
    this.to[this.length] = to;
    this.lane[this.length] = lane;
    return this.length++;
  }
}

/** The steps of all ranks, and the channels between them. */
export class Programs {
  readonly ranks: readonly Column[];
  readonly channels = new Channels();
  readonly lanes: string[] = [];
  readonly nameOf: NameOf;
  /** Of each lane, by sender and receiver: the channel's number and 1 more; 0 where there is none. */
  readonly #numbers: Int32Array[] = [];

  /** `expected`: about how many steps each rank will have. */
  constructor(expected: readonly number[], nameOf: NameOf) {
    this.ranks = expected.map((steps) => new Column(steps));
    this.nameOf = nameOf;
  }

  /** The rank computes for so long; like all steps, from its operation `source`. */
  compute(rank: number, seconds: number, source: number): void {
    this.#column(rank).add(COMPUTE, seconds, -1, source);
  }

  /** So many bytes more are held from here on, or fewer. */
  hold(rank: number, bytes: number, source: number): void {
    this.#column(rank).hold(bytes, source);
  }

  send(rank: number, lane: string, to: number, bytes: number, source: number): void {
    this.#column(rank).add(SEND, bytes, this.#channel(rank, to, lane), source);
  }

  receive(rank: number, lane: string, from: number, source: number): void {
    this.#column(rank).add(RECEIVE, 0, this.#channel(from, rank, lane), source);
  }

  #column(rank: number): Column {
    const column = this.ranks[rank];
    if (column === undefined) throw new RangeError(`"rank" expected one of the ranks, got ${rank}`);
    return column;
  }

  #channel(from: number, to: number, name: string): number {
    let lane = this.lanes.indexOf(name);
    const { length } = this.ranks;
    if (lane < 0) {
      lane = this.lanes.push(name) - 1;
      this.#numbers.push(new Int32Array(length * length));
    }
    const [numbers, at] = [this.#numbers[lane], from * length + to];
    const known = numbers?.[at] ?? 0;
    if (known > 0) return known - 1;
    const channel = this.channels.add(to, lane);
    if (numbers !== undefined) numbers[at] = channel + 1;
    return channel;
  }
}
