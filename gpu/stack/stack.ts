/**
 * A stack run over ranks, forward and backward, with activations recomputed or kept.
 *
 * Each rank has its rows of the text and its keys of the features, and does everything but
 * attention on them alone. What is kept of a layer is its x, O and LSE, and, unless they are
 * recomputed, Q, K and V; of all layers together one y. The gradient of y is added up from the last
 * layer to the first; those of weights are a rank's share until they are added in rank order.
 * @module
 */
import { entry } from '../../reference/numbers/nth.ts';
import { block, filled, forEachIndex, type Tensor } from '../../reference/numbers/tensor.ts';
import { startOf } from '../wire.ts';
import type {
  AttentionGradients,
  Finished,
  KeySet,
  KeySource,
  LayerAttention,
} from './attention.ts';
import {
  type AttendingGradients,
  attending,
  closed,
  type Layer,
  normalRows,
  opened,
  type Projected,
  pairOf,
  projected,
  softmaxesOf,
  unprojected,
} from './layer.ts';
import type { Numbers } from './numbers.ts';
import { addTo } from './rows.ts';
import {
  checkStack,
  type StackInputs,
  type StackShape,
  WEIGHT_NAMES,
  type Weights,
} from './shape.ts';
import { type KeptBytes, type KeptName, Tape } from './tape.ts';

export interface StackOptions {
  /** Q, K and V are recomputed in the backward pass; kept otherwise. */
  readonly recompute: boolean;
}

/** What a rank kept for the backward pass: the most bytes at once, and of what. */
export interface KeptAtPeak {
  readonly bytes: number;
  readonly of: KeptBytes;
}

/** Whole gradients, and each rank's share of those of the weights. */
export interface StackGradients<T> {
  readonly x: Tensor<T>;
  readonly y: Tensor<T>;
  readonly layers: readonly Weights<T>[];
}

export interface StackRun<T> {
  /** The last layer's rows, [B, Sq, hidden]. */
  readonly out: Tensor<T>;
  readonly gradients: StackGradients<T>;
  /** By rank. */
  readonly kept: readonly KeptAtPeak[];
}

/** Everything that goes on between the steps of a run. */
interface Run<T> {
  readonly shape: StackShape;
  readonly numbers: Numbers<T>;
  readonly attention: LayerAttention<T>;
  readonly layers: readonly Layer<T>[];
  readonly tapes: readonly Tape[];
  readonly recompute: boolean;
}

/** Where keys and values of a kind are kept. */
const KEPT: Readonly<Record<KeySource, readonly [KeptName, KeptName]>> = {
  visual: ['k', 'v'],
  text: ['kText', 'vText'],
};

function keepProjected<T>(tape: Tape, layer: number, { q, keys }: Projected<T>): void {
  tape.keep(layer, 'q', q);
  for (const [from, { k, v }] of Object.entries(keys) as [
    KeySource,
    { k: Tensor<T>; v: Tensor<T> },
  ][]) {
    const [nameK, nameV] = KEPT[from];
    tape.keep(layer, nameK, k);
    tape.keep(layer, nameV, v);
  }
}

function keptProjected<T>(tape: Tape, layer: number, shape: StackShape): Projected<T> {
  const keys: Partial<Record<KeySource, { k: Tensor<T>; v: Tensor<T> }>> = {};
  for (const from of softmaxesOf(shape).flat()) {
    const [nameK, nameV] = KEPT[from];
    keys[from] = { k: tape.tensor<T>(layer, nameK), v: tape.tensor<T>(layer, nameV) };
  }
  return { q: tape.tensor<T>(layer, 'q'), keys };
}

/** The key sets of each softmax, over all ranks. */
const setsOf = <T>(shape: StackShape, ranks: readonly Projected<T>[]): KeySet<T>[][] =>
  softmaxesOf(shape).map((sources) =>
    sources.map((from) => {
      const pairs = ranks.map((rank) => pairOf(rank, from));
      return { from, k: pairs.map(({ k }) => k), v: pairs.map(({ v }) => v) };
    }),
  );

/** One layer forward: rows of every rank to rows of every rank. */
async function layerForward<T>(run: Run<T>, l: number, rows: readonly Tensor<T>[]) {
  const { shape, attention, tapes, recompute } = run;
  const layer = entry(run.layers, l);
  const normal = rows.map((x) => normalRows(layer, x));
  const plain = normal.map((n, rank) => projected(layer, n, entry(tapes, rank).tensor<T>(-1, 'y')));
  for (const [rank, tape] of tapes.entries()) {
    tape.keep(l, 'x', entry(rows, rank));
    if (!recompute) keepProjected(tape, l, entry(plain, rank));
  }
  const ready = plain.map((one) => attending(layer, one));
  const queries = ready.map(({ q }) => q);
  const outs: Tensor<T>[][] = rows.map(() => []);
  for (const [n, sets] of setsOf(shape, ready).entries()) {
    const finished = await attention.forward(queries, sets);
    for (const [rank, { out, lse }] of finished.entries()) {
      entry(tapes, rank).keep(l, 'lse', lse, n);
      outs[rank]?.push(entry(tapes, rank).keep(l, 'out', out, n));
    }
  }
  return rows.map((x, rank) => closed(layer, x, entry(normal, rank), entry(outs, rank)));
}

const finishedOf = <T>(tape: Tape, l: number, n: number): Finished<T> => ({
  out: tape.tensor<T>(l, 'out', n),
  lse: tape.data(l, 'lse', n),
});

/** A rank's gradients of a layer's softmaxes, put together. */
function gathered<T>(
  { arithmetic }: Numbers<T>,
  sets: readonly (readonly KeySet<T>[])[],
  softmaxes: readonly AttentionGradients<T>[],
  rank: number,
): AttendingGradients<T> {
  const [first, ...others] = softmaxes;
  if (first === undefined) throw new Error('a layer expected gradients of attention, got none');
  const dQ = filled<T>(entry(first.dQ, rank).shape, arithmetic.zero);
  for (const one of [first, ...others]) addTo(arithmetic, dQ, entry(one.dQ, rank));
  const keys: Partial<Record<KeySource, { dK: Tensor<T>; dV: Tensor<T> }>> = {};
  for (const [n, softmax] of softmaxes.entries()) {
    for (const [m, { dK, dV }] of softmax.sets.entries()) {
      keys[entry(entry(sets, n), m).from] = { dK: entry(dK, rank), dV: entry(dV, rank) };
    }
  }
  return { dQ, keys };
}

/** One layer backward: gradients of its rows to those of its input; the ranks' weight gradients. */
async function layerBackward<T>(
  run: Run<T>,
  l: number,
  dRows: readonly Tensor<T>[],
  dY: readonly Tensor<T>[],
): Promise<{ dX: Tensor<T>[]; gradients: Weights<T>[] }> {
  const { shape, numbers, attention, tapes, recompute } = run;
  const layer = entry(run.layers, l);
  const own = tapes.map((tape) => {
    const [x, y] = [tape.tensor<T>(l, 'x'), tape.tensor<T>(-1, 'y')];
    const n = normalRows(layer, x);
    const plain = recompute ? projected(layer, n, y) : keptProjected<T>(tape, l, shape);
    return { x, y, n, plain, ready: attending(layer, plain) };
  });
  const sets = setsOf(
    shape,
    own.map(({ ready }) => ready),
  );
  const finished = tapes.map((tape) => sets.map((_, s) => finishedOf<T>(tape, l, s)));
  const open = own.map(({ n }, rank) =>
    opened(
      layer,
      n,
      entry(finished, rank).map(({ out }) => out),
      entry(dRows, rank),
    ),
  );
  const softmaxes: AttentionGradients<T>[] = [];
  for (const [s, ofSoftmax] of sets.entries()) {
    softmaxes.push(
      await attention.backward(
        own.map(({ ready }) => ready.q),
        ofSoftmax,
        finished.map((ofRank) => entry(ofRank, s)),
        open.map(({ dOuts }) => entry(dOuts, s)),
      ),
    );
  }
  const done = own.map(({ plain, ...rows }, rank) => {
    const given = gathered(numbers, sets, softmaxes, rank);
    const { dN, gradients } = entry(open, rank);
    const sums = { dN, dY: entry(dY, rank) };
    const through = unprojected(layer, rows, plain, given, sums);
    // The rows go past the layer too.
    const dX = filled<T>(rows.x.shape, numbers.arithmetic.zero);
    addTo(numbers.arithmetic, dX, entry(dRows, rank));
    addTo(numbers.arithmetic, dX, through.dX);
    return { dX, gradients: { ...gradients, ...through.gradients } };
  });
  for (const tape of tapes) tape.release(l);
  return { dX: done.map(({ dX }) => dX), gradients: done.map(({ gradients }) => gradients) };
}

/** Each rank's block along the second axis, stored. */
function dealt<T>({ stored }: Numbers<T>, whole: Tensor<T>, sizes: readonly number[]): Tensor<T>[] {
  return sizes.map((size, rank) => stored(block(whole, 1, startOf(sizes, rank), size)));
}

/** Blocks side by side again. */
function joined<T>(
  blocks: readonly Tensor<T>[],
  sizes: readonly number[],
  like: Tensor<T>,
  zero: T,
) {
  const whole = filled<T>(like.shape, zero);
  for (const [rank, part] of blocks.entries()) {
    const start = startOf(sizes, rank);
    forEachIndex(part.shape, ([b = 0, i = 0, c = 0]) => {
      whole.set(b, start + i, c, part.get(b, i, c));
    });
  }
  return whole;
}

/** Gradients of a layer's weights, summed over ranks in rank order: no interleaving changes a bit. */
export function reduced<T>({ arithmetic }: Numbers<T>, ranks: readonly Weights<T>[]): Weights<T> {
  const sums: Weights<T> = {};
  for (const share of ranks) {
    for (const name of WEIGHT_NAMES) {
      const tensor = share[name];
      if (tensor === undefined) continue;
      sums[name] ??= filled<T>(tensor.shape, arithmetic.zero);
      addTo(arithmetic, sums[name], tensor);
    }
  }
  return sums;
}

/** A stack that has gone forward: its last rows by rank, and all that goes back from them. */
interface Gone<T> {
  readonly run: Run<T>;
  readonly rows: readonly Tensor<T>[];
}

async function goForward<T>(
  shape: StackShape,
  inputs: StackInputs<T>,
  numbers: Numbers<T>,
  attention: LayerAttention<T>,
  { recompute }: StackOptions,
): Promise<Gone<T>> {
  checkStack(shape, inputs);
  const { ranks, q, kv } = shape.partition;
  const tapes = Array.from({ length: ranks }, () => new Tape());
  const layers = inputs.layers.map((weights): Layer<T> => ({ numbers, shape, weights }));
  const run: Run<T> = { shape, numbers, attention, layers, tapes, recompute };
  for (const [rank, y] of dealt(numbers, inputs.y, kv).entries())
    entry(tapes, rank).keep(-1, 'y', y);
  let rows: Tensor<T>[] = dealt(numbers, inputs.x, q);
  for (let l = 0; l < shape.layers; l++) rows = await layerForward(run, l, rows);
  return { run, rows };
}

async function goBack<T>({ run }: Gone<T>, inputs: StackInputs<T>): Promise<StackGradients<T>> {
  const { shape, numbers, tapes } = run;
  const { zero } = numbers.arithmetic;
  const { q, kv } = shape.partition;
  let dRows: Tensor<T>[] = dealt(numbers, inputs.dOut, q);
  const dY = tapes.map((tape) => filled<T>(tape.tensor<T>(-1, 'y').shape, zero));
  const layers: Weights<T>[] = [];
  for (let l = shape.layers - 1; l >= 0; l--) {
    const { dX, gradients } = await layerBackward(run, l, dRows, dY);
    layers.unshift(reduced(numbers, gradients));
    dRows = dX;
  }
  for (const tape of tapes) tape.release(-1);
  return { x: joined(dRows, q, inputs.x, zero), y: joined(dY, kv, inputs.y, zero), layers };
}

type Arguments<T> = Parameters<typeof goForward<T>>;

/** The last rows alone, [B, Sq, hidden]. */
export async function stackForward<T>(...given: Arguments<T>): Promise<Tensor<T>> {
  const [{ partition }, { x }, { arithmetic }] = given;
  const { rows } = await goForward<T>(...given);
  return joined(rows, partition.q, x, arithmetic.zero);
}

/** Runs a stack forward and backward. Throws a RangeError where inputs do not fit the shape. */
export async function evaluateStack<T>(...given: Arguments<T>): Promise<StackRun<T>> {
  const [{ partition }, inputs, { arithmetic }] = given;
  const gone = await goForward<T>(...given);
  const gradients = await goBack(gone, inputs);
  return {
    out: joined(gone.rows, partition.q, inputs.x, arithmetic.zero),
    gradients,
    kept: gone.run.tapes.map((tape) => ({ bytes: tape.peakBytes, of: tape.atPeak })),
  };
}
