/**
 * A discrete-event clock: ranks that compute, send and receive over the links of a cluster.
 *
 * A rank does its steps in order. Computing takes the rank's time; sending does not: the message goes
 * out over the sender's link as soon as that is free, and the rank goes on at once, unless its channel
 * still holds the message before. Receiving waits until the message is there. A channel is a
 * one-place mailbox from one rank to another, as in a schedule. Messages inside a node leave over a
 * link of the rank's own; those to other nodes over one that the node's ranks share, first come, first
 * served, of two at one time the lower rank's first.
 *
 * The same steps give the same events, to the bit.
 * @module
 */
import TinyQueue from 'tinyqueue';
import type { Machine } from '../costs/machine.ts';

/** One step of a rank. */
export type Step =
  | { readonly op: 'compute'; readonly seconds: number; readonly label: string }
  | {
      readonly op: 'send';
      readonly channel: string;
      readonly to: number;
      readonly bytes: number;
      readonly label: string;
    }
  | {
      readonly op: 'receive';
      readonly channel: string;
      readonly from: number;
      readonly label: string;
    }
  /** So many bytes more are held from here on, or fewer. */
  | { readonly op: 'hold'; readonly bytes: number };

/** What happened on a rank: `link` from when a message leaves until it has arrived, of its sender. */
export interface TimedEvent {
  readonly rank: number;
  readonly lane: 'compute' | 'link' | 'wait';
  readonly start_s: number;
  readonly end_s: number;
  readonly label: string;
  /** Of a message; 0 otherwise. */
  readonly bytes: number;
}

export interface Simulation {
  /** When the last rank has done its last step and the last message has arrived. */
  readonly seconds: number;
  readonly events: readonly TimedEvent[];
  /** Of each rank. */
  readonly bytes_sent: readonly number[];
  readonly compute_s: readonly number[];
  /** Time in which a rank could do nothing but wait for a message or for its channel. */
  readonly waiting_s: readonly number[];
  readonly peak_bytes: readonly number[];
}

export type Links = Pick<
  Machine,
  'ranks_per_node' | 'within_node_bytes_per_s' | 'between_nodes_bytes_per_s'
>;

/** A message in a channel: when it has arrived. */
interface Mailbox {
  arrival_s: number | null;
  /** When the message before was taken out. */
  emptied_s: number;
}

/** Where a rank is. */
interface Progress {
  readonly rank: number;
  readonly steps: readonly Step[];
  at: number;
  now_s: number;
  held: number;
}

class Clock {
  readonly #links: Links;
  readonly #ranks: Progress[];
  readonly #boxes = new Map<string, Mailbox>();
  /** Ranks that wait for a mailbox to fill or to empty, by its name. */
  readonly #waiting = new Map<string, Progress>();
  readonly #linkFree = new Map<string, number>();
  readonly events: TimedEvent[] = [];
  readonly sent: number[];
  readonly computed: number[];
  readonly waited: number[];
  readonly peak: number[];
  end_s = 0;

  constructor(programs: readonly (readonly Step[])[], links: Links) {
    this.#links = links;
    this.#ranks = programs.map((steps, rank) => ({ rank, steps, at: 0, now_s: 0, held: 0 }));
    const zeros = () => programs.map(() => 0);
    [this.sent, this.computed, this.waited, this.peak] = [zeros(), zeros(), zeros(), zeros()];
  }

  /** Runs all ranks, always the one that can go on earliest. Throws where some cannot end. */
  run(): void {
    const queue = new TinyQueue<{ readonly time: number; readonly who: Progress }>(
      this.#ranks.flatMap((who) => {
        const time = this.#readyAt(who);
        return time === null ? [] : [{ time, who }];
      }),
      (a, b) => a.time - b.time || a.who.rank - b.who.rank,
    );
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const { time, who } = next;
      for (const woken of this.#step(who, time)) {
        const ready = this.#readyAt(woken);
        if (ready !== null) queue.push({ time: ready, who: woken });
      }
    }
    const stuck = this.#ranks.find(({ at, steps }) => at < steps.length);
    if (stuck !== undefined) {
      const step = stuck.steps[stuck.at];
      const what = step?.op === 'receive' ? `receive "${step.label}"` : 'send';
      throw new RangeError(
        `"steps" expected an end for every rank, got rank ${stuck.rank} waiting for ever to ${what}`,
      );
    }
  }

  #box(from: number, to: number, channel: string): { name: string; box: Mailbox } {
    const name = `${from}>${to} ${channel}`;
    const box = this.#boxes.get(name) ?? { arrival_s: null, emptied_s: 0 };
    this.#boxes.set(name, box);
    return { name, box };
  }

  /** When a rank can do its next step; null where that is not known yet, and it is noted as waiting. */
  #readyAt(who: Progress): number | null {
    const step = who.steps[who.at];
    if (step === undefined) {
      this.end_s = Math.max(this.end_s, who.now_s);
      return null;
    }
    if (step.op === 'compute' || step.op === 'hold') return who.now_s;
    const sends = step.op === 'send';
    const { name, box } = sends
      ? this.#box(who.rank, step.to, step.channel)
      : this.#box(step.from, who.rank, step.channel);
    const known = sends === (box.arrival_s === null);
    if (!known) {
      this.#waiting.set(`${sends ? 'send' : 'receive'} ${name}`, who);
      return null;
    }
    return Math.max(who.now_s, sends ? box.emptied_s : (box.arrival_s ?? 0));
  }

  /** Does a rank's next step; the ranks that may go on now. */
  #step(who: Progress, ready_s: number): Progress[] {
    const step = who.steps[who.at];
    if (step === undefined) return [];
    const before = who.now_s;
    who.at++;
    if (step.op === 'hold') {
      who.held += step.bytes;
      this.peak[who.rank] = Math.max(this.peak[who.rank] ?? 0, who.held);
      return [who];
    }
    if (step.op === 'compute') {
      who.now_s = before + step.seconds;
      this.computed[who.rank] = (this.computed[who.rank] ?? 0) + step.seconds;
      this.#note(who.rank, 'compute', before, who.now_s, step.label, 0);
      return [who];
    }
    if (ready_s > before) {
      this.waited[who.rank] = (this.waited[who.rank] ?? 0) + ready_s - before;
      this.#note(who.rank, 'wait', before, ready_s, `${step.op} ${step.label}`, 0);
    }
    who.now_s = ready_s;
    return step.op === 'send' ? this.#send(who, step) : this.#receive(who, step);
  }

  #send(who: Progress, step: Step & { op: 'send' }): Progress[] {
    const { name, box } = this.#box(who.rank, step.to, step.channel);
    const { ranks_per_node, within_node_bytes_per_s, between_nodes_bytes_per_s } = this.#links;
    const node = Math.floor(who.rank / ranks_per_node);
    const inside = node === Math.floor(step.to / ranks_per_node);
    const link = inside ? `rank ${who.rank}` : `node ${node}`;
    const start = Math.max(who.now_s, this.#linkFree.get(link) ?? 0);
    const rate = inside ? within_node_bytes_per_s : between_nodes_bytes_per_s;
    const arrival = start + step.bytes / rate;
    this.#linkFree.set(link, arrival);
    box.arrival_s = arrival;
    this.sent[who.rank] = (this.sent[who.rank] ?? 0) + step.bytes;
    this.end_s = Math.max(this.end_s, arrival);
    this.#note(who.rank, 'link', start, arrival, step.label, step.bytes);
    return [who, ...this.#wake(`receive ${name}`)];
  }

  #receive(who: Progress, step: Step & { op: 'receive' }): Progress[] {
    const { name, box } = this.#box(step.from, who.rank, step.channel);
    box.arrival_s = null;
    box.emptied_s = who.now_s;
    return [who, ...this.#wake(`send ${name}`)];
  }

  #wake(name: string): Progress[] {
    const waiting = this.#waiting.get(name);
    this.#waiting.delete(name);
    return waiting === undefined ? [] : [waiting];
  }

  #note(
    rank: number,
    lane: TimedEvent['lane'],
    start_s: number,
    end_s: number,
    label: string,
    bytes: number,
  ): void {
    if (end_s > start_s) this.events.push({ rank, lane, start_s, end_s, label, bytes });
  }
}

/**
 * Runs every rank's steps. Throws a RangeError where ranks wait for each other for ever, for a message
 * that nobody sends, or for a channel that nobody empties.
 */
export function simulate(programs: readonly (readonly Step[])[], links: Links): Simulation {
  const clock = new Clock(programs, links);
  clock.run();
  return {
    seconds: clock.end_s,
    events: clock.events,
    bytes_sent: clock.sent,
    compute_s: clock.computed,
    waiting_s: clock.waited,
    peak_bytes: clock.peak,
  };
}
