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
import { COMPUTE, END, type Programs, RECEIVE, SEND } from './program.ts';

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
  /** When rank 0 began each of its computations: a round is from one to the next. */
  readonly begins_s: readonly number[];
}

export type Links = Pick<
  Machine,
  | 'ranks_per_node'
  | 'within_node_bytes_per_s'
  | 'between_nodes_bytes_per_s'
  | 'within_node_latency_s'
  | 'between_nodes_latency_s'
>;

/** An element. */
const real = (column: Float64Array, n: number): number => column[n] ?? 0;
const whole = (column: Int32Array, n: number): number => column[n] ?? 0;

/** Numbers of each rank. */
const zeros = (ranks: number) => new Float64Array(ranks);

/**
 * A lane's mailboxes, by sender and receiver: of each, when its message arrives, or when the one before
 * was taken out; and what its receiver is told, and 1 more: 0 where it is empty.
 */
class Mailboxes {
  readonly #boxes: Float64Array;

  constructor(ranks: number) {
    this.#boxes = new Float64Array(2 * ranks * ranks);
  }

  isFull(box: number): boolean {
    return real(this.#boxes, 2 * box + 1) !== 0;
  }

  timeOf(box: number): number {
    return real(this.#boxes, 2 * box);
  }

  fill(box: number, arrival_s: number, cargo: number): void {
    this.#boxes[2 * box] = arrival_s;
    this.#boxes[2 * box + 1] = cargo + 1;
  }

  empty(box: number, now: number): number {
    const cargo = real(this.#boxes, 2 * box + 1) - 1;
    this.#boxes[2 * box] = now;
    this.#boxes[2 * box + 1] = 0;
    return cargo;
  }
}

class Clock {
  readonly #programs: Programs;
  readonly #links: Links;
  readonly #note: Note | null;
  /** Of each rank: its time, and when it can send or receive next. */
  readonly #now: Float64Array;
  readonly #ready: Float64Array;
  /** Of each rank, the send or receive that it comes to next; END where there is none. */
  readonly #op: Uint8Array;
  readonly #peer: Int32Array;
  readonly #lane: Int32Array;
  readonly #source: Int32Array;
  readonly #bytes: Float64Array;
  readonly #cargo: Float64Array;
  /** Whether it waits for its mailbox to fill or to empty. */
  readonly #waits: Uint8Array;
  readonly #mail: Mailboxes[] = [];
  /** When each rank's own link and each node's link are free. */
  readonly #ownFree: Float64Array;
  readonly #nodeFree: Float64Array;
  readonly #nodeOf: Int32Array;
  readonly computed: Float64Array;
  readonly waited: Float64Array;
  readonly near: Float64Array;
  readonly far: Float64Array;
  readonly lanes: Float64Array[] = [];
  readonly begins: number[] = [];
  end_s = 0;

  constructor(programs: Programs, links: Links, note: Note | null) {
    [this.#programs, this.#links, this.#note] = [programs, links, note];
    const { ranks } = programs;
    [this.#now, this.#ready] = [zeros(ranks), zeros(ranks)];
    [this.#op, this.#waits] = [new Uint8Array(ranks), new Uint8Array(ranks)];
    [this.#peer, this.#lane] = [new Int32Array(ranks), new Int32Array(ranks)];
    [this.#source, this.#bytes, this.#cargo] = [new Int32Array(ranks), zeros(ranks), zeros(ranks)];
    [this.#ownFree, this.#nodeFree] = [zeros(ranks), zeros(ranks)];
    this.#nodeOf = Int32Array.from(this.#now, (_, rank) => Math.floor(rank / links.ranks_per_node));
    [this.computed, this.waited] = [zeros(ranks), zeros(ranks)];
    [this.near, this.far] = [zeros(ranks), zeros(ranks)];
  }

  /** Runs all ranks, always the one that can send or receive earliest. Throws where some cannot end. */
  run(): void {
    const ready = this.#ready;
    const before = (a: number, b: number): number => real(ready, a) - real(ready, b) || a - b;
    const queue = new TinyQueue<number>([], before);
    const { ranks } = this.#programs;
    for (let rank = 0; rank < ranks; rank++) if (this.#advance(rank)) queue.push(rank);
    for (let rank = queue.pop(); rank !== undefined; rank = queue.pop()) {
      let goesOn = true;
      while (goesOn) {
        const woken = this.#communicate(rank);
        if (woken !== null && this.#isReady(woken)) queue.push(woken);
        if (!this.#advance(rank)) break;
        const other = queue.peek();
        goesOn = other === undefined || before(rank, other) < 0;
        if (!goesOn) queue.push(rank);
      }
    }
    this.#checkEnded();
  }

  #checkEnded(): void {
    const stuck = this.#op.findIndex((op) => op !== END);
    if (stuck < 0) return;
    const name = this.#programs.nameOf(stuck, whole(this.#source, stuck));
    const what = this.#op[stuck] === RECEIVE ? `receive "${name}"` : `send "${name}"`;
    throw new RangeError(
      `"steps" expected an end for every rank, got rank ${stuck} waiting for ever to ${what}`,
    );
  }

  /**
   * Does what a rank does by itself, up to its next send or receive. False where it has none, or none
   * whose time is known yet: it is noted as waiting.
   */
  #advance(rank: number): boolean {
    const { step } = this.#programs;
    let now = real(this.#now, rank);
    let op = this.#programs.next(rank);
    for (; op === COMPUTE; op = this.#programs.next(rank)) {
      const end = now + step.amount;
      this.computed[rank] = real(this.computed, rank) + step.amount;
      if (rank === 0 && end > now) this.begins.push(now);
      this.#tell(rank, 'compute', now, end, step.source, 0);
      now = end;
    }
    this.#op[rank] = op;
    this.#now[rank] = now;
    if (op === END) {
      this.end_s = Math.max(this.end_s, now);
      return false;
    }
    this.#comeTo(rank, step);
    return this.#isReady(rank);
  }

  /** Notes a send or a receive as a rank's next. */
  #comeTo(rank: number, { peer, lane, source, amount, cargo }: Programs['step']): void {
    const { ranks } = this.#programs;
    if (!(peer >= 0 && peer < ranks)) {
      throw new RangeError(`"rank" expected one of the ranks, got ${peer}`);
    }
    this.#peer[rank] = peer;
    this.#lane[rank] = lane;
    this.#source[rank] = source;
    this.#bytes[rank] = amount;
    this.#cargo[rank] = cargo;
    while (this.#mail.length <= lane) {
      this.#mail.push(new Mailboxes(ranks));
      this.lanes.push(zeros(ranks));
    }
  }

  /** The mailboxes of the lane of a rank's next message, and the number of the one that it goes through. */
  #mailOf(rank: number): Mailboxes {
    const mail = this.#mail[whole(this.#lane, rank)];
    if (mail === undefined) throw new RangeError(`rank ${rank} has no message`);
    return mail;
  }

  #boxOf(rank: number): number {
    const ranks = this.#now.length;
    const peer = whole(this.#peer, rank);
    return this.#op[rank] === SEND ? rank * ranks + peer : peer * ranks + rank;
  }

  #isReady(rank: number): boolean {
    const mail = this.#mailOf(rank);
    const box = this.#boxOf(rank);
    const waits = mail.isFull(box) === (this.#op[rank] === SEND);
    this.#waits[rank] = waits ? 1 : 0;
    if (!waits) this.#ready[rank] = Math.max(real(this.#now, rank), mail.timeOf(box));
    return !waits;
  }

  /** Does a rank's next step, which sends or receives; the rank that may go on because of it. */
  #communicate(rank: number): number | null {
    const before = real(this.#now, rank);
    const now = real(this.#ready, rank);
    const peer = whole(this.#peer, rank);
    const box = this.#boxOf(rank);
    this.#now[rank] = now;
    if (now > before) {
      this.waited[rank] = real(this.waited, rank) + now - before;
      this.#tell(rank, 'wait', before, now, whole(this.#source, rank), 0);
    }
    if (this.#op[rank] === SEND) this.#send(rank, peer, box, now);
    else this.#programs.arrived(rank, this.#mailOf(rank).empty(box, now));
    const woken = this.#waits[peer] === 1 && whole(this.#peer, peer) === rank;
    if (!woken || whole(this.#lane, peer) !== whole(this.#lane, rank)) return null;
    return this.#boxOf(peer) === box ? peer : null;
  }

  #send(rank: number, to: number, box: number, now: number): void {
    const bytes = real(this.#bytes, rank);
    const lane = whole(this.#lane, rank);
    const links = this.#links;
    const node = whole(this.#nodeOf, rank);
    const inside = node === whole(this.#nodeOf, to);
    const free = inside ? this.#ownFree : this.#nodeFree;
    const link = inside ? rank : node;
    const start = Math.max(now, real(free, link));
    const rate = inside ? links.within_node_bytes_per_s : links.between_nodes_bytes_per_s;
    const latency = inside ? links.within_node_latency_s : links.between_nodes_latency_s;
    const left = start + bytes / rate;
    const arrival = left + latency;
    free[link] = left;
    this.#mailOf(rank).fill(box, arrival, real(this.#cargo, rank));
    const level = inside ? this.near : this.far;
    level[rank] = real(level, rank) + bytes;
    const sent = this.lanes[lane];
    if (sent !== undefined) sent[rank] = real(sent, rank) + bytes;
    this.end_s = Math.max(this.end_s, arrival);
    this.#tell(rank, 'link', start, arrival, whole(this.#source, rank), bytes);
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
    ...{ peak_bytes: [...programs.memory.peak], begins_s: clock.begins },
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
