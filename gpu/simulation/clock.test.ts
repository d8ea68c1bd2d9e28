/**
 * The clock against times worked out by hand, and against the closed formulas where their assumptions
 * hold: equal blocks, a link for every rank.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CLUSTERS } from '../costs/clusters.ts';
import { exposedSeconds, nominalMachine, passSeconds } from '../costs/machine.ts';
import { bytesSent, ringPass } from '../costs/phases.ts';
import { keeping, type Links, simulate as simulatePrograms } from './clock.ts';
import { COMPUTE, END, Memory, type Programs, RECEIVE, SEND } from './program.ts';
import { traceWriter } from './trace.ts';

const LINKS: Links = {
  ranks_per_node: 1,
  within_node_bytes_per_s: 100,
  between_nodes_bytes_per_s: 10,
  within_node_latency_s: 0,
  between_nodes_latency_s: 0,
};

/** A step as tests write it. */
type Step =
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
  | { readonly op: 'hold'; readonly bytes: number };

/** Each message's cargo is where its sender sends it; what came is in `taken`. */
class Lists implements Programs {
  readonly ranks: number;
  readonly lanes: string[] = [];
  readonly memory: Memory;
  readonly step = { source: 0, amount: 0, peer: 0, lane: 0, cargo: 0 };
  readonly taken: number[][];
  readonly #lists: readonly (readonly Step[])[];
  readonly #at: number[];

  constructor(lists: readonly (readonly Step[])[]) {
    [this.#lists, this.ranks, this.memory] = [lists, lists.length, new Memory(lists.length)];
    [this.#at, this.taken] = [lists.map(() => 0), lists.map(() => [])];
  }

  nameOf = (rank: number, source: number): string => {
    const step = this.#lists[rank]![source]!;
    return step.op === 'hold' ? '' : step.label;
  };

  next(rank: number): number {
    const source = this.#at[rank]!++;
    const step = this.#lists[rank]![source];
    if (step === undefined) return END;
    if (step.op === 'hold') {
      this.memory.hold(rank, step.bytes);
      return this.next(rank);
    }
    if (step.op === 'compute') {
      Object.assign(this.step, { source, amount: step.seconds });
      return COMPUTE;
    }
    if (!this.lanes.includes(step.channel)) this.lanes.push(step.channel);
    const lane = this.lanes.indexOf(step.channel);
    if (step.op === 'receive') {
      Object.assign(this.step, { source, lane, peer: step.from });
      return RECEIVE;
    }
    Object.assign(this.step, { source, lane, peer: step.to, amount: step.bytes, cargo: source });
    return SEND;
  }

  arrived(rank: number, cargo: number): void {
    this.taken[rank]!.push(cargo);
  }
}

/** With all events. */
function simulate(lists: readonly (readonly Step[])[], links: Links) {
  const programs = new Lists(lists);
  const { events, note } = keeping(programs);
  return { ...simulatePrograms(programs, links, note), events, taken: programs.taken };
}

const compute = (seconds: number, label = 'c'): Step => ({ op: 'compute', seconds, label });
const send = (to: number, bytes: number, channel = 'a'): Step => ({
  ...{ op: 'send', channel, to, bytes, label: `${channel} to ${to}` },
});
const receive = (from: number, channel = 'a'): Step => ({
  ...{ op: 'receive', channel, from, label: `${channel} from ${from}` },
});

/** Blocks round a ring, `ahead` and `behind` bytes a block, as LV-XAttn and Ring Attention go. */
function ringSteps(
  n: number,
  seconds: (rank: number, block: number) => number,
  { ahead, behind }: { readonly ahead: number; readonly behind: number },
): Step[][] {
  return Array.from({ length: n }, (_, rank) => {
    const [right, left] = [(rank + 1) % n, (rank + n - 1) % n];
    const steps: Step[] = [];
    for (let round = 0; round < n; round++) {
      if (round < n - 1) steps.push(send(right, ahead, 'query'));
      if (round > 0 && behind > 0) steps.push(send(right, behind, 'result'));
      steps.push(compute(seconds(rank, (rank + n - round) % n)));
      if (round > 0 && behind > 0) steps.push(receive(left, 'result'));
      if (round < n - 1) steps.push(receive(left, 'query'));
    }
    if (n > 1 && behind > 0) steps.push(send(right, behind, 'result'), receive(left, 'result'));
    return steps;
  });
}

describe('the clock', () => {
  it('sends beside computing, and waits only for what is not there', () => {
    const { seconds, waiting_s, compute_s, bytes_sent } = simulate(
      [
        [send(1, 20), compute(5)],
        [compute(1), receive(0), compute(3)],
      ],
      LINKS,
    );
    expect(seconds).toBe(5);
    expect(waiting_s).toEqual([0, 1]);
    expect(compute_s).toEqual([5, 4]);
    expect(bytes_sent).toEqual([20, 0]);
  });

  it('sends one message after another over a link, and holds back a sender whose channel is full', () => {
    const { seconds, events, taken } = simulate(
      [
        [send(1, 20), send(1, 30, 'b'), send(1, 10), compute(1)],
        [compute(4), receive(0), receive(0, 'b'), receive(0)],
      ],
      LINKS,
    );
    const links = events.filter(({ lane }) => lane === 'link');
    expect(taken).toEqual([[], [0, 1, 2]]);
    // The second message on channel a may go when the first is taken out at 4, and the link is free at 5.
    expect(links.map(({ start_s, end_s }) => [start_s, end_s])).toEqual([
      [0, 2],
      [2, 5],
      [5, 6],
    ]);
    expect(seconds).toBe(6);
  });

  it('shares the link of a node, not those inside it', () => {
    const programs = [
      [send(1, 100), send(2, 10, 'b')],
      [receive(0), send(3, 10, 'b')],
      [receive(0, 'b')],
      [receive(1, 'b')],
    ];
    const { events } = simulate(programs, { ...LINKS, ranks_per_node: 2 });
    const at = (rank: number, bytes: number) =>
      events.find((one) => one.lane === 'link' && one.rank === rank && one.bytes === bytes);
    expect(at(0, 100)).toMatchObject({ start_s: 0, end_s: 1 });
    expect(at(0, 10)).toMatchObject({ start_s: 0, end_s: 1 });
    expect(at(1, 10)).toMatchObject({ start_s: 1, end_s: 2 });
  });

  it('lets a message arrive its link’s latency after it has left, and the next one leave meanwhile', () => {
    const links = { ...LINKS, ranks_per_node: 2, within_node_latency_s: 3 };
    const { seconds, waiting_s, events } = simulate(
      [[send(1, 200), send(1, 100, 'b'), send(2, 20)], [receive(0), receive(0, 'b')], [receive(0)]],
      { ...links, between_nodes_latency_s: 7 },
    );
    const sent = events.filter(({ lane }) => lane === 'link');
    expect(sent.map(({ start_s, end_s }) => [start_s, end_s])).toEqual([
      [0, 5],
      [2, 6],
      [0, 9],
    ]);
    expect(waiting_s).toEqual([0, 6, 9]);
    expect(seconds).toBe(9);
  });

  it('counts bytes by lane and by link', () => {
    const { bytes_sent, bytes_by_lane, bytes_within_node, bytes_between_nodes } = simulate(
      [
        [send(1, 5), send(2, 7), send(1, 11, 'b')],
        [receive(0), receive(0, 'b')],
        [receive(0), send(3, 13, 'b')],
        [receive(2, 'b')],
      ],
      { ...LINKS, ranks_per_node: 2 },
    );
    expect(bytes_sent).toEqual([23, 0, 13, 0]);
    expect(bytes_by_lane).toEqual({ a: [12, 0, 0, 0], b: [11, 0, 13, 0] });
    expect(bytes_within_node).toEqual([16, 0, 13, 0]);
    expect(bytes_between_nodes).toEqual([7, 0, 0, 0]);
  });

  it('ends when the last message has arrived, though nobody takes it', () => {
    expect(simulate([[send(1, 20)], []], LINKS).seconds).toBe(2);
  });

  it('follows what is held', () => {
    const { peak_bytes } = simulate(
      [
        [
          { op: 'hold', bytes: 5 },
          { op: 'hold', bytes: 7 },
          { op: 'hold', bytes: -9 },
          { op: 'hold', bytes: 4 },
        ],
        [],
      ],
      LINKS,
    );
    expect(peak_bytes).toEqual([12, 0]);
  });

  it('says who waits for ever', () => {
    expect(() => simulate([[receive(1)], [receive(0)]], LINKS)).toThrow(
      'rank 0 waiting for ever to receive "a from 1"',
    );
    expect(() => simulate([[send(1, 1), send(1, 1)], []], LINKS)).toThrow(
      'rank 0 waiting for ever to send "a to 1"',
    );
  });

  it('refuses a message to a rank that is not there', () => {
    expect(() => simulate([[send(2, 1)], []], LINKS)).toThrow(
      '"rank" expected one of the ranks, got 2',
    );
  });
});

describe('a ring on the clock', () => {
  const cluster = { ...CLUSTERS[1]!, between_nodes_bytes_per_s: 10 };

  it('takes what the formula says, of equal blocks, and sends and exposes as much', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 0, max: 300 }),
        fc.integer({ min: 0, max: 9 }),
        fc.integer({ min: 0, max: 9 }),
        (n, c, ahead, behind, latency, overhead) => {
          const machine = {
            ...nominalMachine({ ...cluster, ranks: n, between_nodes_latency_s: latency }),
            ...{ attention_flops_per_s: 1, kernel_overhead_s: overhead },
          };
          const pass = ringPass(n, { attention: c, ahead, behind });
          const { seconds, bytes_sent, waiting_s } = simulate(
            ringSteps(n, () => c + overhead, { ahead, behind }),
            machine,
          );
          const expected = passSeconds(machine, pass);
          expect(Math.abs(seconds - expected)).toBeLessThanOrEqual(1e-12 * expected);
          const exposed = exposedSeconds(machine, pass);
          for (const waited of waiting_s) {
            expect(Math.abs(waited - exposed)).toBeLessThanOrEqual(1e-11 * expected);
          }
          expect(bytes_sent).toEqual(Array.from({ length: n }, () => bytesSent(pass)));
        },
      ),
      { seed: 1 },
    );
  });

  it('takes no longer than the formula where most ranks have faster links', () => {
    for (const perNode of [2, 4]) {
      const machine = {
        ...nominalMachine({ ...cluster, ranks: 8, ranks_per_node: perNode }),
        ...{ attention_flops_per_s: 1, within_node_bytes_per_s: 1000 },
      };
      for (const c of [1, 10, 40]) {
        const blocks = { ahead: 100, behind: 200 };
        const { seconds } = simulate(
          ringSteps(8, () => c, blocks),
          machine,
        );
        const formula = passSeconds(machine, ringPass(8, { attention: c, ...blocks }));
        expect(seconds).toBeLessThanOrEqual(formula * (1 + 1e-12));
        expect(seconds).toBeGreaterThan(formula * 0.7);
      }
    }
  });

  it('takes longer of uneven blocks, but no less than the slowest rank computes', () => {
    const uneven = (rank: number): number => (rank === 2 ? 9 : 1);
    const { seconds, compute_s, waiting_s } = simulate(
      ringSteps(5, uneven, { ahead: 1, behind: 1 }),
      LINKS,
    );
    expect(compute_s).toEqual([5, 5, 45, 5, 5]);
    expect(seconds).toBeGreaterThan(45);
    for (const rank of [0, 1, 3, 4]) expect(waiting_s[rank]).toBeGreaterThan(20);
  });

  it('gives the same events each time, none of a lane at once with another of it', () => {
    const programs = ringSteps(7, (rank, block) => 1 + ((rank * block) % 3), {
      ahead: 9,
      behind: 5,
    });
    const first = simulate(programs, { ...LINKS, ranks_per_node: 3 });
    expect(simulate(programs, { ...LINKS, ranks_per_node: 3 })).toEqual(first);
    for (let rank = 0; rank < 7; rank++) {
      const busy = first.events.filter((one) => one.rank === rank && one.lane !== 'link');
      const sorted = [...busy].sort((a, b) => a.start_s - b.start_s);
      sorted.slice(1).forEach(({ start_s }, n) => {
        expect(start_s).toBeGreaterThanOrEqual(sorted[n]!.end_s);
      });
    }
  });

  it('of 256 ranks sends every block round', () => {
    const { bytes_sent } = simulate(
      ringSteps(256, () => 1, { ahead: 2, behind: 3 }),
      LINKS,
    );
    expect(new Set(bytes_sent)).toEqual(new Set([255 * 2 + 256 * 3]));
  });
});

describe('its trace', () => {
  it('has a process per rank and every event as a span in microseconds, pass after pass', () => {
    const lists = ringSteps(3, () => 2, { ahead: 10, behind: 20 });
    const { seconds, events } = simulate(lists, LINKS);
    let text = '';
    const writer = traceWriter((piece) => {
      text += piece;
    });
    for (const offset of [0, 100]) {
      const programs = new Lists(lists);
      writer.begin(programs, offset);
      simulatePrograms(programs, LINKS, writer.note);
    }
    writer.end();
    const { traceEvents } = JSON.parse(text) as {
      traceEvents: {
        ph: string;
        name: string;
        pid: number;
        ts: number;
        dur: number;
        args: object;
      }[];
    };
    const spans = traceEvents.filter(({ ph }) => ph === 'X');
    expect(spans.length).toBe(2 * events.length);
    const first = spans.slice(0, events.length);
    expect(first.map(({ name, pid, ts }) => [name, pid, ts])).toEqual(
      events.map(({ label, rank, start_s }) => [label, rank, start_s * 1e6]),
    );
    const end = Math.max(...spans.map(({ ts, dur }) => ts + dur));
    expect(end).toBeCloseTo((100 + seconds) * 1e6, 3);
    const names = traceEvents.filter(({ name }) => name === 'process_name');
    expect(names.map(({ args }) => args)).toEqual(
      [0, 1, 2].map((rank) => ({ name: `rank ${rank}` })),
    );
  });
});
