/**
 * `xattn run`: a schedule run on drawn numbers, what it sent, and what the judge says of it.
 * @module
 */
import { MultiBar } from 'cli-progress';
import pc from 'picocolors';
import type { RankEvent } from '../../gpu/interpreter.ts';
import { perfettoTrace, type Span } from '../../gpu/perfetto.ts';
import { closeWorkers, passesOf, type RunResult, run } from '../../gpu/run.ts';
import type { Direction, Operation, Schedule } from '../../gpu/schedule.ts';
import { uspGroup } from '../../gpu/schedules/groups.ts';
import type { ScheduleName } from '../../gpu/schedules/index.ts';
import type { Listening } from '../../gpu/transport/crew.ts';
import type { AttentionCase, OutputName, Partition } from '../../reference/case/case.ts';
import { drawCase } from '../../reference/case/draw-case.ts';
import type { GivenOutputs } from '../../reference/case/given.ts';
import { evenSizes } from '../../reference/case/partition.ts';
import { isSampled, sampledOutput, sampleOf } from '../../reference/case/sampling.ts';
import { elementCount, tensorOf, toFlat } from '../../reference/numbers/tensor.ts';
import { isFailure, judge } from '../../reference/verdict/judge.ts';
import { judgeSample } from '../../reference/verdict/judge-sample.ts';
import { untilInterrupted } from '../interruption.ts';
import { type PassChoice, passesAsked, passesInWords } from '../pass-choice.ts';
import { printable } from '../text.ts';
import { threadsFor } from '../threads.ts';
import { checkPlace, writeWholeFile } from '../whole-file.ts';
import { checkFilesApart, type DEVICES, type TRANSPORTS } from './options.ts';
import type { MaskChoice } from './pass-options.ts';
import { runSvg } from './run-svg.ts';

export interface RunCommandOptions extends PassChoice, MaskChoice {
  schedule: ScheduleName;
  ranks: number;
  transport: (typeof TRANSPORTS)[number];
  device: (typeof DEVICES)[number];
  batch: number;
  heads: number;
  kvHeads?: number;
  headDim: number;
  seqQ: number;
  seqKv: number;
  direction: 'forward' | 'backward' | 'both';
  seed: number;
  trace?: string;
  svg?: string;
  json?: true;
  listen?: { readonly host: string; readonly port: number };
  timeoutS: number;
  startTimeoutS?: number;
}

/** Where ranks from elsewhere connect, and the token that they have too. */
function listeningAt({ listen, transport }: RunCommandOptions): Listening | null {
  if (listen === undefined) return null;
  if (transport !== 'processes') {
    throw new RangeError(`"--listen" expected "--transport processes", got ${transport}`);
  }
  const token = process.env.XATTN_TOKEN;
  if (token === undefined || token === '') {
    throw new RangeError('"XATTN_TOKEN" expected a secret that ranks are to have too, got none');
  }
  return { ...listen, token, onRefused: strangerTeller((line) => process.stderr.write(line)) };
}

/** How long ranks in processes may take to be there. Throws a RangeError for ranks that are here. */
export function startingIn({
  startTimeoutS,
  transport,
}: Pick<RunCommandOptions, 'startTimeoutS' | 'transport'>): { readonly startTimeoutMs?: number } {
  if (startTimeoutS === undefined) return {};
  if (transport !== 'processes') {
    throw new RangeError(`"--start-timeout-s" expected "--transport processes", got ${transport}`);
  }
  return { startTimeoutMs: 1000 * startTimeoutS };
}

/** A port scan must not fill a terminal. */
const STRANGERS_SHOWN = 20;

/** Says of each stranger in a line that it was refused, and of the last one shown that it is. */
export function strangerTeller(write: (line: string) => void): Required<Listening>['onRefused'] {
  let shown = 0;
  return (from, reason) => {
    if (shown === STRANGERS_SHOWN) return;
    shown++;
    const last = shown === STRANGERS_SHOWN ? ' (no more of these are shown)' : '';
    write(`xattn: refused ${printable(from, 60)}: ${printable(reason)}${last}\n`);
  };
}

/** Lists of operations grow with the square of the ranks: a million operations at so many. */
const RANKS_MAX = 512;
/** Numbers of all inputs and outputs together that are drawn and run in memory. */
const NUMBERS_MAX = 2 ** 27;

function caseOf(options: RunCommandOptions): AttentionCase {
  const { ranks, heads, kvHeads = heads, headDim, seqQ, seqKv, direction } = options;
  if (ranks > RANKS_MAX) {
    throw new RangeError(`"--ranks" expected at most ${RANKS_MAX}, got ${ranks}`);
  }
  const width = options.batch * headDim;
  const numbers = 4 * width * (heads * seqQ + kvHeads * seqKv);
  if (numbers > NUMBERS_MAX) {
    throw new RangeError(
      `"--seq-q" and "--seq-kv" expected at most ${NUMBERS_MAX} numbers in all, got ${numbers}: ` +
        'fewer keys, heads or a smaller --head-dim run here',
    );
  }
  const partition: Partition = { ranks, q: evenSizes(seqQ, ranks), kv: evenSizes(seqKv, ranks) };
  return drawCase(options.seed, {
    id: 'run',
    judging: 'random',
    batch: options.batch,
    heads,
    kv_heads: kvHeads,
    seq_q: seqQ,
    seq_kv: seqKv,
    head_dim: headDim,
    head_dim_v: headDim,
    scale: Math.fround(1 / Math.sqrt(headDim)),
    gradients: direction !== 'forward',
    causal: options.causal,
    window: options.window ?? null,
    partition,
  });
}

/** One bar a rank while it runs, on a terminal. */
function watch(passes: readonly Schedule[], quiet: boolean) {
  const totals = (passes[0]?.ranks ?? []).map((_, rank) =>
    passes.reduce((sum, { ranks }) => sum + (ranks[rank]?.length ?? 0), 0),
  );
  const progress = new Int32Array(new SharedArrayBuffer(4 * totals.length));
  if (quiet || !process.stderr.isTTY || totals.length > process.stderr.rows - 2) {
    return { progress, stop: () => undefined };
  }
  const format = 'rank {rank} {bar} {value}/{total} {doing}';
  const bars = new MultiBar({ stream: process.stderr, format, clearOnComplete: true });
  const texts = totals.map((_, rank) => doings(passes, rank));
  const rows = totals.map((total, rank) => bars.create(total, 0, { rank, doing: '' }));
  const draw = () => {
    for (const [rank, bar] of rows.entries()) {
      const done = Atomics.load(progress, rank);
      bar.update(done, { doing: texts[rank]?.[done] ?? '' });
    }
  };
  const timer = setInterval(draw, 50);
  return {
    progress,
    stop: () => {
      clearInterval(timer);
      bars.stop();
    },
  };
}

/** The block pair that each operation of a rank computes, as "q0·k1"; null for others. */
function pairsIn(rank: number, list: readonly Operation[]): (string | null)[] {
  const blocks = new Map<string, string>();
  const at = (name: string): string => blocks.get(name) ?? '?';
  return list.map((o) => {
    if (o.op === 'loadQuery' || o.op === 'loadKeys' || o.op === 'recomputeKV') {
      blocks.set(o.into, `${rank}`);
    }
    if (o.op === 'receive') blocks.set(o.buffer, o.blocks.join(','));
    if (o.op === 'join') blocks.set(o.into, o.buffers.map(at).join(','));
    if (o.op === 'takeHeads' || o.op === 'expandHeads') blocks.set(o.into, at(o.buffer));
    return o.op === 'computeBlock' ? `q${at(o.query)}·k${at(o.keys)}` : null;
  });
}

/** What a rank does at each operation: which pair it computes, or which operation it is. */
function doings(passes: readonly Schedule[], rank: number): string[] {
  const texts = passes.flatMap(({ direction, ranks }) => {
    const list = ranks[rank] ?? [];
    const pairs = pairsIn(rank, list);
    return list.map(({ op }, n) => `${direction} ${pairs[n] ?? op}`);
  });
  return [...texts, 'done'];
}

/** Bytes of the messages that each rank has sent, by direction. */
function bytesSent(log: readonly RankEvent[], ranks: number, width: number) {
  const sent: Record<Direction, number[]> = {
    forward: new Array<number>(ranks).fill(0),
    backward: new Array<number>(ranks).fill(0),
  };
  for (const { rank, direction, operation, elements } of log) {
    if (operation.op !== 'send') continue;
    sent[direction][rank] = (sent[direction][rank] ?? 0) + elements * width;
  }
  return sent;
}

/** Pairs of a whole case that is judged in seconds; of a larger one, a sample is. */
const PAIRS_MAX = 2 ** 18;
const SAMPLED = 16;

/** What the judge says. */
function verdictOf(attentionCase: AttentionCase, { outputs, backend }: RunResult, seed: number) {
  const { batch, heads, seq_q, seq_kv } = attentionCase.parameters;
  const reference = backend === 'reference';
  const [profile, dtype] = reference ? (['f64', 'F64'] as const) : (['f32', 'F32'] as const);
  const given: GivenOutputs = {};
  if (batch * heads * seq_q * seq_kv <= PAIRS_MAX) {
    for (const [name, tensor] of Object.entries(outputs)) {
      given[name as OutputName] = { dtype, tensor };
    }
    return judge(attentionCase, given, profile);
  }
  const size = { rows: Math.min(SAMPLED, seq_q), keys: Math.min(SAMPLED, seq_kv), seed };
  const sample = sampleOf(attentionCase.parameters, size);
  for (const [key, tensor] of Object.entries(outputs)) {
    const name = key as OutputName;
    if (!isSampled(sample, name)) continue;
    const { shape, wholeFlat } = sampledOutput(attentionCase, sample, name);
    const values = toFlat(tensor);
    const chosen = Array.from({ length: elementCount(shape) }, (_, n) => values[wholeFlat(n)] ?? 0);
    given[name] = { dtype, tensor: tensorOf(chosen, shape) };
  }
  const threads = threadsFor(attentionCase);
  return judgeSample(attentionCase, given, profile, sample, { threads });
}

function spansOf(log: readonly RankEvent[], width: number): Span[] {
  return log.map(({ rank, direction, operation, elements, at }) => {
    const [begin, end] = at ?? [0, 0];
    return { rank, direction, operation, begin, end, bytes: elements * width };
  });
}

const mebibytes = (bytes: number): string =>
  bytes < 2 ** 20 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** Which block pairs each rank computes, one after another. */
function rounds(log: readonly RankEvent[], direction: Direction, ranks: number): string[] {
  const lines = Array.from({ length: ranks }, (_, rank) => {
    const own = log.filter((event) => event.rank === rank && event.direction === direction);
    const pairs = pairsIn(
      rank,
      own.map(({ operation }) => operation),
    );
    return pairs.filter((pair) => pair !== null);
  });
  const widest = Math.max(0, ...lines.flat().map((cell) => cell.length));
  return lines.map(
    (cells, rank) => `  rank ${rank}  ${cells.map((cell) => cell.padEnd(widest)).join('  ')}`,
  );
}

const ROUNDS_RANKS_MAX = 8;

interface Summary {
  readonly schedule: string;
  readonly ranks: number;
  readonly transport: string;
  readonly device: string;
  readonly backend: string;
  readonly bytes_sent_per_rank: Record<Direction, number[]>;
  readonly messages: number;
  readonly wall_s: number;
  readonly peak_bytes_per_rank: readonly number[];
  readonly verdict: string;
}

/** The heading names the schedule as it was done. */
function text(summary: Summary, done: string, reason: string, log: readonly RankEvent[]): string {
  const { ranks, transport, backend, bytes_sent_per_rank: sent } = summary;
  const heading = `${done}, ${ranks} rank${ranks === 1 ? '' : 's'}, ${transport}, ${backend}`;
  const colors = pc.createColors(process.stdout.isTTY === true && pc.isColorSupported);
  const lines = [colors.bold(heading)];
  for (const direction of ['forward', 'backward'] as const) {
    if (!log.some((event) => event.direction === direction)) continue;
    const most = Math.max(...sent[direction]);
    lines.push(`${direction}: at most ${mebibytes(most)} sent by a rank`);
    if (ranks <= ROUNDS_RANKS_MAX) lines.push(...rounds(log, direction, ranks));
  }
  const peak = mebibytes(Math.max(...summary.peak_bytes_per_rank));
  lines.push(
    `${summary.messages} messages, ${summary.wall_s.toFixed(3)} s, at most ${peak} held by a rank`,
  );
  const failed = isFailure(summary.verdict as Parameters<typeof isFailure>[0]);
  lines.push(`${(failed ? colors.red : colors.green)(summary.verdict)}: ${reason}`);
  return lines.join('\n');
}

/** Runs, judges, prints; the exit status. */
export async function runCommand(options: RunCommandOptions): Promise<number> {
  checkFilesApart(options);
  for (const file of [options.trace, options.svg]) if (file !== undefined) checkPlace(file);
  const attentionCase = caseOf(options);
  const { schedule, ranks, transport, device } = options;
  const passes = passesAsked(schedule, options);
  const { heads } = options;
  const shown = schedule === 'usp' ? { group: uspGroup({ ranks, heads }), ...passes } : passes;
  const listen = listeningAt(options);
  const { progress, stop } = watch(
    passesOf(attentionCase, schedule, passes),
    options.json === true,
  );
  const begun = performance.now();
  let done: RunResult;
  try {
    const timing = options.trace !== undefined || options.svg !== undefined;
    const [{ seed }, timeoutMs] = [options, 1000 * options.timeoutS];
    const limits = { timeoutMs, ...startingIn(options) };
    const how = { ...passes, schedule, transport, device, seed, timing, progress, ...limits };
    const asked = listen === null ? how : { ...how, listen };
    done = await untilInterrupted(transport, () => run(attentionCase, asked), stop);
  } catch (error) {
    if (error instanceof RangeError) throw error;
    process.stderr.write(`xattn: ${error instanceof Error ? error.message : String(error)}\n`);
    return 3;
  } finally {
    stop();
    await closeWorkers();
  }
  const wall_s = (performance.now() - begun) / 1000;
  const width = done.backend === 'reference' ? 8 : 4;
  const { verdict, reason } = verdictOf(attentionCase, done, options.seed);
  const summary: Summary = {
    schedule,
    ranks,
    transport,
    device,
    backend: done.backend,
    bytes_sent_per_rank: bytesSent(done.log, ranks, width),
    messages: done.log.filter(({ operation }) => operation.op === 'send').length,
    wall_s,
    peak_bytes_per_rank: done.peakBytes,
    verdict,
  };
  if (options.trace !== undefined) {
    const trace = perfettoTrace(spansOf(done.log, width), `${schedule}, ${ranks} ranks`);
    writeWholeFile(options.trace, JSON.stringify(trace));
  }
  if (options.svg !== undefined) {
    const title = `${schedule}, ${ranks} ranks, ${transport}, ${done.backend}: a real run`;
    writeWholeFile(options.svg, runSvg(done.log, { title, ranks }));
  }
  const how = `${schedule}${passesInWords(shown)}`;
  process.stdout.write(
    `${options.json ? JSON.stringify(summary) : text(summary, how, reason, done.log)}\n`,
  );
  return isFailure(verdict) ? 1 : 0;
}
