/**
 * A discrete-event clock: ranks that compute, send and receive over the links of a cluster.
 *
 * A rank does its steps in order. Computing takes the rank's time; sending does not: the message goes
 * out over the sender's link as soon as that is free, and the rank goes on at once, unless its channel
 * still holds the message before. Receiving waits until the message is there. A channel is a
 * one-place mailbox from one rank to another, as in a schedule. A message is on its link for its bytes,
 * and arrives the link's latency after that. Messages inside a node leave over a link of the rank's
 * own; those to other nodes over one that the node's ranks share, first come, first served, of two at
 * one time the lower rank's first.
 *
 * The same steps give the same events, to the bit. What a rank does by itself is done at once; sends
 * and receives of all ranks are done in the order of their times.
 * @module
 */
import TinyQueue from 'tinyqueue';
import type { Machine } from '../costs/machine.ts';
import { COMPUTE, Column, HOLD, type Programs, RECEIVE, SEND } from './program.ts';

export type Lane = 'compute' | 'link' | 'wait';

/**
 * Told what happened on a rank, each rank's in order: `link` from when a message leaves until it has
 * arrived, of its sender. `source` is the operation that it comes from; `bytes` of a message, else 0.
 */
export type Note = (
  rank: number,
  lane: Lane,
  start_s: number,
  end_s: number,
  source: number,
  bytes: number,
) => void;

export interface Simulation {
  /** When the last rank has done its last step and the last message has arrived. */
  readonly seconds: number;
  /** Of each rank. */
  readonly bytes_sent: readonly number[];
  /** The same by lane. */
  readonly bytes_by_lane: Readonly<Record<string, readonly number[]>>;
  /** The same by link: what each rank sent inside its node, and to other nodes. */
  readonly bytes_within_node: readonly number[];
  readonly bytes_between_nodes: readonly number[];
  readonly compute_s: readonly number[];
  /** Exposed communication: a rank could do nothing but wait for a message or for its channel. */
  readonly waiting_s: readonly number[];
  readonly peak_bytes: readonly number[];
}

export type Links = Pick<
  Machine,
  | 'ranks_per_node'
  | 'within_node_bytes_per_s'
  | 'between_nodes_bytes_per_s'
  | 'within_node_latency_s'
  | 'between_nodes_latency_s'
>;

const NOBODY = -1;
const NO_STEPS = new Column(0);

/** An element. One function a kind of array: of each, an engine then makes a single load. */
const real = (column: Float64Array, n: number): number => column[n] ?? 0;
const whole = (column: Int32Array, n: number): number => column[n] ?? 0;
const byte = (column: Uint8Array, n: number): number => column[n] ?? 0;

/** Numbers of each rank. */
const zeros = (ranks: number) => new Float64Array(ranks);

class Clock {
  readonly #programs: Programs;
  readonly #links: Links;
  readonly #note: Note | null;
  /** Of each rank: its next step, its time, what it holds, and when it can send or receive next. */
  readonly #next: Int32Array;
  readonly #now: Float64Array;
  readonly #held: Float64Array;
  readonly #ready: Float64Array;
  /** Of each channel: whether a message is in it, when it arrives, when the one before was taken. */
  readonly #full: Uint8Array;
  readonly #arrival: Float64Array;
  readonly #emptied: Float64Array;
  /** The rank that waits for a channel to fill or to empty. */
  readonly #waiting: Int32Array;
  /** When each rank's own link and each node's link are free. */
  readonly #ownFree: Float64Array;
  readonly #nodeFree: Float64Array;
  readonly computed: Float64Array;
  readonly waited: Float64Array;
  readonly peak: Float64Array;
  readonly near: Float64Array;
  readonly far: Float64Array;
  readonly lanes: readonly Float64Array[];
  end_s = 0;

  constructor(programs: Programs, links: Links, note: Note | null) {
    [this.#programs, this.#links, this.#note] = [programs, links, note];
    const [ranks, channels] = [programs.ranks.length, programs.channels.length];
    this.#next = new Int32Array(ranks);
    [this.#now, this.#held, this.#ready] = [zeros(ranks), zeros(ranks), zeros(ranks)];
    this.#full = new Uint8Array(channels);
    [this.#arrival, this.#emptied] = [zeros(channels), zeros(channels)];
    this.#waiting = new Int32Array(channels).fill(NOBODY);
    [this.#ownFree, this.#nodeFree] = [zeros(ranks), zeros(ranks)];
    [this.computed, this.waited, this.peak] = [zeros(ranks), zeros(ranks), zeros(ranks)];
    [this.near, this.far] = [zeros(ranks), zeros(ranks)];
    this.lanes = programs.lanes.map(() => zeros(ranks));
  }

  /** Runs all ranks, always the one that can send or receive earliest. Throws where some cannot end. */
  run(): void {
    const ready = this.#ready;
    const before = (a: number, b: number): number => real(ready, a) - real(ready, b) || a - b;
    const queue = new TinyQueue<number>([], before);
    for (const rank of this.#programs.ranks.keys()) if (this.#advance(rank)) queue.push(rank);
    for (let rank = queue.pop(); rank !== undefined; rank = queue.pop()) {
      let goesOn = true;
      while (goesOn) {
        const woken = this.#communicate(rank);
        if (woken !== NOBODY && this.#advance(woken)) queue.push(woken);
        if (!this.#advance(rank)) break;
        const other = queue.peek();
        goesOn = other === undefined || before(rank, other) < 0;
        if (!goesOn) queue.push(rank);
      }
    }
    this.#checkEnded();
  }

  #checkEnded(): void {
    const { ranks, nameOf } = this.#programs;
    const stuck = ranks.findIndex(({ length }, rank) => whole(this.#next, rank) < length);
    const step = whole(this.#next, stuck);
    const column = ranks[stuck];
    if (column === undefined) return;
    const name = nameOf(stuck, whole(column.sources, step));
    const what = byte(column.ops, step) === RECEIVE ? `receive "${name}"` : `send "${name}"`;
    throw new RangeError(
      `"steps" expected an end for every rank, got rank ${stuck} waiting for ever to ${what}`,
    );
  }

  /**
   * Does what a rank does by itself, up to its next send or receive. False where it has none, or none
   * whose time is known yet: it is noted as waiting.
   */
  #advance(rank: number): boolean {
    const column = this.#programs.ranks[rank] ?? NO_STEPS;
    const { ops, amounts, sources, length } = column;
    let step = whole(this.#next, rank);
    let now = real(this.#now, rank);
    let op = SEND;
    for (; step < length; step++) {
      op = byte(ops, step);
      if (op === HOLD) {
        const held = real(this.#held, rank) + real(amounts, step);
        this.#held[rank] = held;
        if (held > real(this.peak, rank)) this.peak[rank] = held;
      } else if (op === COMPUTE) {
        const seconds = real(amounts, step);
        const end = now + seconds;
        this.computed[rank] = real(this.computed, rank) + seconds;
        this.#tell(rank, 'compute', now, end, whole(sources, step), 0);
        now = end;
      } else break;
    }
    this.#next[rank] = step;
    this.#now[rank] = now;
    if (step < length) return this.#isReady(rank, op, whole(column.channels, step), now);
    this.end_s = Math.max(this.end_s, now);
    return false;
  }

  #isReady(rank: number, op: number, channel: number, now: number): boolean {
    const sends = op === SEND;
    if ((byte(this.#full, channel) === 1) === sends) {
      this.#waiting[channel] = rank;
      return false;
    }
    const from = sends ? real(this.#emptied, channel) : real(this.#arrival, channel);
    this.#ready[rank] = Math.max(now, from);
    return true;
  }

  /** Does a rank's next step, which sends or receives; the rank that may go on because of it. */
  #communicate(rank: number): number {
    const { ops, amounts, channels, sources } = this.#programs.ranks[rank] ?? NO_STEPS;
    const step = whole(this.#next, rank);
    const before = real(this.#now, rank);
    const now = real(this.#ready, rank);
    const source = whole(sources, step);
    const channel = whole(channels, step);
    this.#next[rank] = step + 1;
    this.#now[rank] = now;
    if (now > before) {
      this.waited[rank] = real(this.waited, rank) + now - before;
      this.#tell(rank, 'wait', before, now, source, 0);
    }
    if (byte(ops, step) === SEND) this.#send(rank, channel, real(amounts, step), now, source);
    else this.#emptied[channel] = now;
    this.#full[channel] = byte(ops, step) === SEND ? 1 : 0;
    const woken = whole(this.#waiting, channel);
    this.#waiting[channel] = NOBODY;
    return woken;
  }

  #send(rank: number, channel: number, bytes: number, now: number, source: number): void {
    const { channels } = this.#programs;
    const [to, lane] = [whole(channels.to, channel), whole(channels.lane, channel)];
    const links = this.#links;
    const node = Math.floor(rank / links.ranks_per_node);
    const inside = node === Math.floor(to / links.ranks_per_node);
    const free = inside ? this.#ownFree : this.#nodeFree;
    const link = inside ? rank : node;
    const start = Math.max(now, real(free, link));
    const rate = inside ? links.within_node_bytes_per_s : links.between_nodes_bytes_per_s;
    const latency = inside ? links.within_node_latency_s : links.between_nodes_latency_s;
    const left = start + bytes / rate;
    const arrival = left + latency;
    free[link] = left;
    this.#arrival[channel] = arrival;
    const level = inside ? this.near : this.far;
    level[rank] = real(level, rank) + bytes;
    const sent = this.lanes[lane];
    if (sent !== undefined) sent[rank] = real(sent, rank) + bytes;
    this.end_s = Math.max(this.end_s, arrival);
    this.#tell(rank, 'link', start, arrival, source, bytes);
  }

  #tell(
    rank: number,
    lane: Lane,
    start_s: number,
    end_s: number,
    source: number,
    bytes: number,
  ): void {
    if (this.#note !== null && end_s > start_s) {
      this.#note(rank, lane, start_s, end_s, source, bytes);
    }
  }
}

/**
 * Runs every rank's steps, and tells `note` what happens. Throws a RangeError where ranks wait for each
 * other for ever, for a message that nobody sends, or for a channel that nobody empties.
 */
export function simulate(programs: Programs, links: Links, note: Note | null = null): Simulation {
  const clock = new Clock(programs, links, note);
  clock.run();
  const [near, far] = [clock.near, clock.far];
  return {
    seconds: clock.end_s,
    bytes_sent: Array.from(near, (bytes, rank) => bytes + real(far, rank)),
    bytes_by_lane: Object.fromEntries(
      programs.lanes.map((name, lane) => [name, [...(clock.lanes[lane] ?? [])]]),
    ),
    ...{ bytes_within_node: [...near], bytes_between_nodes: [...far] },
    ...{ compute_s: [...clock.computed], waiting_s: [...clock.waited] },
    peak_bytes: [...clock.peak],
  };
}

/** What happened on a rank. */
export interface TimedEvent {
  readonly rank: number;
  readonly lane: Lane;
  readonly start_s: number;
  readonly end_s: number;
  readonly label: string;
  /** Of a message; 0 otherwise. */
  readonly bytes: number;
}

/** A `note` that keeps what it is told of the ranks before `ranks`, with names. */
export function keeping(
  { nameOf }: Programs,
  ranks = Number.POSITIVE_INFINITY,
): { readonly events: TimedEvent[]; readonly note: Note } {
  const events: TimedEvent[] = [];
  const note: Note = (rank, lane, start_s, end_s, source, bytes) => {
    if (rank >= ranks) return;
    events.push({ rank, lane, start_s, end_s, label: nameOf(rank, source), bytes });
  };
  return { events, note };
}
