/**
 * `xattn run --model`: the cross-attention layers of a model, forward and backward over ranks, what
 * they keep with recomputation and without, and whether both give the same bits.
 * @module
 */
import pc from 'picocolors';
import { closeWorkers } from '../../gpu/run.ts';
import type { RunOptions } from '../../gpu/run-options.ts';
import type { Direction } from '../../gpu/schedule.ts';
import { definedAttention } from '../../gpu/stack/attention.ts';
import { drawStack } from '../../gpu/stack/draw.ts';
import { keptByFormula } from '../../gpu/stack/kept.ts';
import { realNumbers } from '../../gpu/stack/numbers.ts';
import { presetOf } from '../../gpu/stack/presets.ts';
import { runStack, type StackResult } from '../../gpu/stack/run.ts';
import type { Fusion, StackInputs, StackShape } from '../../gpu/stack/shape.ts';
import { evaluateStack, type StackRun } from '../../gpu/stack/stack.ts';
import { type Tensor, toFlat } from '../../reference/numbers/tensor.ts';
import { untilInterrupted } from '../interruption.ts';
import { type RunCommandOptions, startingIn } from './run.ts';

export interface StackCommandOptions {
  model?: string;
  layers?: number;
  frames?: number;
  shrink?: number;
  fusion?: Fusion;
}

const [FRAMES, SHRINK] = [2, 16];

/** Products that the caller's thread does in about a minute. */
const PRODUCTS_MAX = 2 ** 32;

function productsOf(s: StackShape): number {
  const [wide, grouped] = [s.heads * s.head_dim, s.kv_heads * s.head_dim];
  const text = s.fusion === 'tanh' ? 0 : 2 * grouped * s.hidden;
  const rows = s.seq_q * (2 * wide * s.hidden + text);
  // Forward, again, and twice backward.
  return 4 * s.layers * s.batch * (rows + 2 * s.seq_kv * s.visual_dim * grouped);
}

function stackOf(model: string, options: RunCommandOptions & StackCommandOptions) {
  const { ranks, batch, seqQ, layers, fusion } = options;
  const { frames = FRAMES, shrink = SHRINK } = options;
  const preset = presetOf(model, {
    ...{ seq_q: seqQ, frames, ranks, batch },
    shrink: { heads: shrink, width: shrink, tokens_per_frame: shrink },
    ...(layers === undefined ? {} : { layers }),
    ...(fusion === undefined ? {} : { fusion }),
  });
  const products = productsOf(preset.shape);
  if (products > PRODUCTS_MAX) {
    throw new RangeError(
      `"--shrink" expected at most ${PRODUCTS_MAX} products of projections, got ${products}: ` +
        'a larger one, fewer frames or fewer layers run here',
    );
  }
  return preset;
}

/** Everything that a run gives, by name. */
function tensorsOf({ out, gradients }: StackRun<number>): [string, Tensor][] {
  const { x, y, layers } = gradients;
  const weights = layers.flatMap((layer, l) =>
    Object.entries(layer).map(([name, tensor]): [string, Tensor] => [`d ${name} ${l}`, tensor]),
  );
  return [['out', out], ['d x', x], ['d y', y], ...weights];
}

/** Whether two runs gave the same numbers, signs of zeros and NaN included. */
function sameBits(a: StackRun<number>, b: StackRun<number>): boolean {
  const others = tensorsOf(b);
  return tensorsOf(a).every(([, tensor], n) => {
    const other = others[n];
    if (other === undefined) return false;
    const values = toFlat(other[1]);
    return toFlat(tensor).every((value, m) => Object.is(value, values[m]));
  });
}

interface Distance {
  /** The largest difference in a tensor, as a part of that tensor's largest element. */
  readonly relative: number;
  readonly tensor: string;
}

/** Pairs of queries and keys over all layers that the definition goes through in seconds. */
const PAIRS_MAX = 2 ** 21;

/** How far a run is from the undistributed definition in float64; null where that would take long. */
async function distanceOf(
  run: StackRun<number>,
  s: StackShape,
  inputs: StackInputs<number>,
): Promise<Distance | null> {
  const keys = s.seq_kv + (s.fusion === 'tanh' ? 0 : s.seq_q);
  if (s.layers * s.batch * s.heads * s.seq_q * keys > PAIRS_MAX) return null;
  const alone = { ...s, partition: { ranks: 1, q: [s.seq_q], kv: [s.seq_kv] } };
  const numbers = realNumbers('f64');
  const attention = definedAttention(numbers, alone, inputs);
  const truth = tensorsOf(
    await evaluateStack(alone, inputs, numbers, attention, { recompute: false }),
  );
  let worst: Distance = { relative: 0, tensor: 'out' };
  for (const [n, [name, tensor]] of tensorsOf(run).entries()) {
    const exact = toFlat(truth[n]?.[1] ?? tensor);
    const most = (values: readonly number[]) =>
      values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    const off = most(toFlat(tensor).map((value, m) => value - (exact[m] ?? 0)));
    const relative = off === 0 ? 0 : off / most(exact);
    if (!(relative <= worst.relative)) worst = { relative, tensor: name };
  }
  return worst;
}

const keptOf = ({ kept }: StackResult): number[] => kept.map(({ bytes }) => bytes);
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** What the formulas say that all ranks keep together; null for float64, which they do not count. */
function formulaOf(s: StackShape, recompute: boolean, width: number): number | null {
  if (width !== 4) return null;
  const { attention, inputs } = keptByFormula(s, recompute, 4);
  return Math.round((attention + inputs) * s.partition.ranks);
}

function summaryOf(
  options: RunCommandOptions & StackCommandOptions,
  s: StackShape,
  [recomputed, kept]: readonly [StackResult, StackResult],
  distance: Distance | null,
) {
  const { backend, passes, messages, elements, bufferBytes } = recomputed.traffic;
  const width = backend === 'reference' ? 8 : 4;
  const bytes = (direction: Direction) => elements[direction].map((count) => count * width);
  const { schedule, ranks, transport, device, model = '' } = options;
  const { partition: _, ...shape } = s;
  return {
    ...{
      model,
      shrink: options.shrink ?? SHRINK,
      shape,
      schedule,
      ranks,
      transport,
      device,
      backend,
    },
    ...{ passes, messages },
    bytes_sent_per_rank: { forward: bytes('forward'), backward: bytes('backward') },
    buffer_bytes_per_rank: bufferBytes,
    kept_bytes_per_rank: { recomputed: keptOf(recomputed), saved: keptOf(kept) },
    kept_bytes_by_formula: {
      recomputed: formulaOf(s, true, width),
      saved: formulaOf(s, false, width),
    },
    same_bits: sameBits(recomputed, kept),
    distance,
  };
}

type Summary = ReturnType<typeof summaryOf>;

/** Does what was kept equal the formulas, where they count it? */
const isAsCounted = ({ kept_bytes_per_rank: held, kept_bytes_by_formula: formula }: Summary) =>
  (['recomputed', 'saved'] as const).every(
    (way) => formula[way] === null || formula[way] === sum(held[way]),
  );

const kibibytes = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`;

function text(summary: Summary, wall_s: number): string {
  const { shape: s, kept_bytes_per_rank: held, kept_bytes_by_formula: formula } = summary;
  const colors = pc.createColors(process.stdout.isTTY === true && pc.isColorSupported);
  const { model, shrink, schedule, ranks, transport, backend, bytes_sent_per_rank: sent } = summary;
  const divided = shrink === 1 ? '' : ` divided by ${shrink}`;
  const kept = (way: 'recomputed' | 'saved') => {
    const by = formula[way] === null ? '' : `, by formula ${kibibytes(formula[way])}`;
    return `${kibibytes(sum(held[way]))} on all ranks${by}`;
  };
  const most = (direction: Direction) => kibibytes(Math.max(...sent[direction]));
  const { distance } = summary;
  const near =
    distance === null
      ? 'not compared with the definition: too many pairs'
      : `from the definition in float64 at most ${distance.relative.toExponential(1)} of the ` +
        `largest element (${distance.tensor}); not a verdict`;
  const good = summary.same_bits && isAsCounted(summary);
  return [
    colors.bold(`${model}${divided}, ${schedule}, ${ranks} ranks, ${transport}, ${backend}`),
    `${s.layers} layers (${s.fusion}), text ${s.seq_q} x ${s.hidden}, features ${s.seq_kv} x ` +
      `${s.visual_dim}, ${s.heads} heads of ${s.head_dim} over ${s.kv_heads}`,
    `sent by a rank at most ${most('forward')} forward, ${most('backward')} backward; ` +
      `${summary.messages} messages, ${wall_s.toFixed(3)} s`,
    `kept with Q, K and V recomputed: ${kept('recomputed')}`,
    `kept without:                    ${kept('saved')}`,
    near,
    (good ? colors.green : colors.red)(
      `${summary.same_bits ? 'same' : 'other'} bits with and without recomputation` +
        (isAsCounted(summary) ? '' : '; what is kept is not what the formulas say'),
    ),
  ].join('\n');
}

/** Runs a model's stack both ways and prints; the exit status. */
export async function runStackCommand(
  model: string,
  options: RunCommandOptions & StackCommandOptions,
): Promise<number> {
  const { shape, keys_per_image } = stackOf(model, options);
  const inputs = drawStack(options.seed, shape, { keys_per_image });
  const { schedule, transport, device, seed } = options;
  const limits = { timeoutMs: 1000 * options.timeoutS, ...startingIn(options) };
  const how: RunOptions = { schedule, transport, device, seed, ...limits };
  const begun = performance.now();
  let runs: readonly [StackResult, StackResult];
  try {
    runs = await untilInterrupted(transport, async () => [
      await runStack(shape, inputs, { ...how, recompute: true }),
      await runStack(shape, inputs, { ...how, recompute: false }),
    ]);
  } catch (error) {
    if (error instanceof RangeError) throw error;
    process.stderr.write(`xattn: ${error instanceof Error ? error.message : String(error)}\n`);
    return 3;
  } finally {
    await closeWorkers();
  }
  const wall_s = (performance.now() - begun) / 1000;
  const distance = await distanceOf(runs[0], shape, inputs);
  const summary = summaryOf({ ...options, model }, shape, runs, distance);
  const shown = options.json ? JSON.stringify({ ...summary, wall_s }) : text(summary, wall_s);
  process.stdout.write(`${shown}\n`);
  return summary.same_bits && isAsCounted(summary) ? 0 : 1;
}
