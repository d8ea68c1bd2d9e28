/**
 * `xattn plan --schedule`, `--trace`, `--svg`: one layer on the discrete-event clock, as numbers, as a
 * trace for Perfetto and as a picture.
 * @module
 */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import type { Setting } from '../../gpu/costs/prediction.ts';
import type { ScheduleName } from '../../gpu/costs/schedules.ts';
import type { Direction } from '../../gpu/schedule.ts';
import type { Note, Simulation } from '../../gpu/simulation/clock.ts';
import {
  type FormulaPass,
  type LayerSimulation,
  layerByFormula,
  simulateLayer,
  type Watch,
} from '../../gpu/simulation/layer.ts';
import { type TraceWriter, traceWriter } from '../../gpu/simulation/trace.ts';
import { RANKS_SHOWN, type TimelineSpan, timelineSvg } from '../../gpu/timeline-svg.ts';
import { printable } from '../text.ts';
import { checkPlace, named, writeWholeFile } from '../whole-file.ts';
import { bytes, columns, short } from './plan-numbers.ts';

/** Operations grow with the square of the ranks: of so many they take up to half a minute. */
const RANKS_MAX = 1024;
const WRITE_LENGTH = 2 ** 20;

export interface ClockOptions {
  readonly schedule?: ScheduleName;
  readonly trace?: string;
  readonly svg?: string;
}

/** A pass: of each number the most that a rank has, and what all ranks send over each kind of link. */
export interface PassSummary {
  readonly seconds: number;
  readonly compute_s: number;
  readonly exposed_s: number;
  readonly round_s: number;
  readonly bytes_sent_per_rank: number;
  readonly bytes_by_lane_per_rank: Readonly<Record<string, number>>;
  readonly bytes_within_nodes: number;
  readonly bytes_between_nodes: number;
  /** The same by the closed formulas: seconds of equal blocks, bytes of these blocks. */
  readonly formula: { readonly seconds: number; readonly bytes_sent_per_rank: number };
  /** Of the pass's buffers; what is saved from forward to backward stands in the plan. */
  readonly peak_bytes_per_rank: number;
}

export interface ClockSummary {
  readonly schedule: ScheduleName;
  readonly forward: PassSummary;
  readonly backward: PassSummary;
}

const most = (values: readonly number[]): number =>
  values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** Writes to a file in large pieces. */
function fileWriter(file: string): { write: (text: string) => void; close: () => void } {
  const descriptor = openSync(file, 'w');
  let waiting: string[] = [];
  let length = 0;
  const flush = () => {
    named(file, () => writeFileSync(descriptor, waiting.join('')));
    [waiting, length] = [[], 0];
  };
  return {
    write: (text) => {
      waiting.push(text);
      length += text.length;
      if (length > WRITE_LENGTH) flush();
    },
    close: () => {
      flush();
      closeSync(descriptor);
    },
  };
}

/** Writes down all that happens, and keeps spans of the first ranks, if drawn. */
class Watcher {
  readonly spans: TimelineSpan[] = [];
  readonly #trace: TraceWriter | null;
  readonly #draws: boolean;

  constructor(trace: TraceWriter | null, draws: boolean) {
    [this.#trace, this.#draws] = [trace, draws];
  }

  readonly watch: Watch = (programs, _, offset_s): Note => {
    this.#trace?.begin(programs, offset_s);
    return (rank, lane, start_s, end_s, source, size) => {
      this.#trace?.note(rank, lane, start_s, end_s, source, size);
      if (!this.#draws || rank >= RANKS_SHOWN) return;
      this.spans.push({
        ...{ rank, lane: lane === 'link' ? 'send' : lane },
        ...{ start_s: offset_s + start_s, end_s: offset_s + end_s },
        label: programs.nameOf(rank, source),
      });
    };
  };
}

/** The middle one of the times between one computation's begin and the next one's. */
function roundOf(begins: readonly number[], seconds: number): number {
  const steps = begins.slice(1).map((at, n) => at - (begins[n] ?? 0));
  return steps.sort((a, b) => a - b)[steps.length >> 1] ?? seconds;
}

function summaryOf(
  { seconds, compute_s, waiting_s, begins_s, ...pass }: Simulation,
  formula: FormulaPass,
): PassSummary {
  return {
    seconds,
    ...{ compute_s: most(compute_s), exposed_s: most(waiting_s) },
    round_s: roundOf(begins_s, seconds),
    bytes_sent_per_rank: most(pass.bytes_sent),
    bytes_by_lane_per_rank: Object.fromEntries(
      Object.entries(pass.bytes_by_lane).map(([lane, sent]) => [lane, most(sent)]),
    ),
    bytes_within_nodes: sum(pass.bytes_within_node),
    bytes_between_nodes: sum(pass.bytes_between_nodes),
    formula: { seconds: formula.seconds, bytes_sent_per_rank: most(formula.bytes_sent) },
    peak_bytes_per_rank: most(pass.peak_bytes),
  };
}

function draw(
  name: ScheduleName,
  { model, cluster, seq_q, seq_kv }: Setting,
  { forward, backward }: LayerSimulation,
  spans: readonly TimelineSpan[],
): string {
  const title =
    `${name}, one layer of ${printable(model.name, 40)} on ${printable(cluster.name, 40)}, ` +
    `${cluster.ranks} ranks: simulated`;
  return timelineSvg({
    ...{ title, ranks: cluster.ranks, seconds: forward.seconds + backward.seconds, spans },
    sending: 'message on its link, until it has arrived',
    passes: [
      { name: 'forward', start_s: 0 },
      { name: 'backward', start_s: forward.seconds },
    ],
    notes: [`${seq_q} text tokens, ${seq_kv} keys; nominal rates of the cluster.`],
  });
}

/** Simulates, writes what files are asked for, and sums up. Throws a RangeError where it cannot. */
export async function onTheClock(setting: Setting, options: ClockOptions): Promise<ClockSummary> {
  const { schedule: name = 'lv-xattn', trace, svg } = options;
  if (setting.cluster.ranks > RANKS_MAX) {
    throw new RangeError(
      `a simulation expected at most ${RANKS_MAX} ranks, got ${setting.cluster.ranks}`,
    );
  }
  if (svg !== undefined) checkPlace(svg);
  const file = trace === undefined ? null : fileWriter(trace);
  const writer = file === null ? null : traceWriter(file.write);
  const watcher = new Watcher(writer, svg !== undefined);
  let layer: LayerSimulation;
  try {
    layer = await simulateLayer(name, setting, {
      recompute: name === 'lv-xattn',
      ...(trace === undefined && svg === undefined ? {} : { watch: watcher.watch }),
    });
    writer?.end();
  } finally {
    file?.close();
  }
  if (svg !== undefined) writeWholeFile(svg, draw(name, setting, layer, watcher.spans));
  const formula = layerByFormula(name, setting);
  const pass = (direction: Direction): PassSummary =>
    summaryOf(layer[direction], formula[direction]);
  return { schedule: name, forward: pass('forward'), backward: pass('backward') };
}

/** The numbers as a table. */
export function clockText({ schedule, forward, backward }: ClockSummary): string {
  const row = (name: string, of: (pass: PassSummary) => string): string[] => [
    name,
    of(forward),
    of(backward),
  ];
  const lanes = [forward, backward].flatMap((pass) => Object.keys(pass.bytes_by_lane_per_rank));
  return columns([
    [`${schedule} on the clock, one layer, nominal, as run`, 'forward', 'backward'],
    row('seconds', (pass) => short(pass.seconds)),
    row('  by the formula, of equal blocks, a link a rank', ({ formula }) =>
      short(formula.seconds),
    ),
    row('a round, seconds', (pass) => short(pass.round_s)),
    row('computing, most of all ranks', (pass) => short(pass.compute_s)),
    row('waiting (exposed communication), most', (pass) => short(pass.exposed_s)),
    row('sent by a rank, most', (pass) => bytes(pass.bytes_sent_per_rank)),
    row('  by the formula', ({ formula }) => bytes(formula.bytes_sent_per_rank)),
    ...[...new Set(lanes)].map((lane) =>
      row(`  lane ${lane}`, (pass) => bytes(pass.bytes_by_lane_per_rank[lane] ?? 0)),
    ),
    row('over links within nodes, all ranks', (pass) => bytes(pass.bytes_within_nodes)),
    row('over links between nodes, all ranks', (pass) => bytes(pass.bytes_between_nodes)),
    row('buffers of a rank, most', (pass) => bytes(pass.peak_bytes_per_rank)),
  ]);
}
