/**
 * Nasty cases: small ones whose inputs range over the whole of their dtype, scale and softcap over
 * 10^−300 to 10^300, with every mask, sinks, dropout, grouped heads and recomputation.
 *
 * Powers of two, integers and draws only: the same bits on every machine.
 * @module
 */
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { RandomGenerator } from 'pure-rand/types/RandomGenerator';
import {
  type AttentionCase,
  CAUSAL_ALIGNMENTS,
  type CaseInputs,
  type CaseParameters,
  DTYPES,
  type Dtype,
  type OutputName,
} from '../case/case.ts';
import { validateCase } from '../case/validate.ts';
import { maxFinite, minNormal, minSubnormal, roundTo, unitRoundoff } from '../numbers/format.ts';
import { elementCount, mapTensor, type Tensor, tensorOf } from '../numbers/tensor.ts';

/** Draws from one generator. */
function dice(generator: RandomGenerator) {
  const int = (low: number, high: number): number => uniformInt(generator, low, high);
  const uniform = (): number => uniformFloat64(generator);
  const chance = (share: number): boolean => uniform() < share;
  const sign = (): number => (chance(0.5) ? 1 : -1);
  function pick<T>(list: readonly [T, ...T[]]): T {
    return list[int(0, list.length - 1)] ?? list[0];
  }
  return { int, uniform, chance, sign, pick };
}
type Dice = ReturnType<typeof dice>;

/** Exponents of the smallest and the largest number of each dtype. */
const EXPONENTS: Readonly<Record<Dtype, readonly [number, number]>> = {
  f64: [-1074, 1023],
  f32: [-149, 127],
  f16: [-24, 15],
  bf16: [-133, 127],
};

type Style = (d: Dice, dtype: Dtype) => number;

const wide = (d: Dice, low: number, high: number): number => {
  const exponent = d.int(low, high);
  // In two steps: the power alone may be out of range.
  return (
    d.sign() *
    (1 + d.uniform()) *
    2 ** Math.trunc(exponent / 2) *
    2 ** (exponent - Math.trunc(exponent / 2))
  );
};

const ordinary: Style = (d) => 4 * (d.uniform() - 0.5);
const anySize: Style = (d, dtype) => wide(d, ...EXPONENTS[dtype]);
const special: Style = (d, dtype) =>
  d.sign() *
  d.pick([
    0,
    minSubnormal(dtype),
    minNormal(dtype),
    maxFinite(dtype),
    1,
    1 + 2 * unitRoundoff(dtype),
    maxFinite(dtype) / 2,
  ]);
const integer: Style = (d) => d.int(-3, 3);
const largest: Style = (d, dtype) => wide(d, EXPONENTS[dtype][1] - 4, EXPONENTS[dtype][1]);
const smallest: Style = (d, dtype) => wide(d, EXPONENTS[dtype][0], EXPONENTS[dtype][0] + 8);
const zero: Style = (d) => d.sign() * 0;
const STYLES: readonly [Style, ...Style[]] = [
  ...([ordinary, ordinary, ordinary, anySize, anySize, integer] as const),
  ...([special, largest, smallest, zero] as const),
];

/** A tensor in one style, or in another at each element. */
function drawn(d: Dice, dtype: Dtype, shape: readonly number[]): Tensor {
  const mixed = d.chance(0.25);
  let style = d.pick(STYLES);
  const data = Float64Array.from({ length: elementCount(shape) }, () => {
    if (mixed) style = d.pick(STYLES);
    const value = roundTo(dtype, style(d, dtype));
    return Number.isFinite(value) ? value : Math.sign(value) * maxFinite(dtype);
  });
  return tensorOf<number>(data, shape);
}

/** Later rows of an axis made equal to earlier ones: ties, and cancellation. */
function repeatRows(d: Dice, tensor: Tensor, axis: number): void {
  const { shape } = tensor;
  const width = elementCount(shape.slice(axis + 1));
  const count = shape[axis] ?? 0;
  for (let row = 1; row < count; row++) {
    if (!d.chance(0.5)) continue;
    const from = d.int(0, row - 1);
    for (let start = 0; start < tensor.data.length; start += count * width) {
      for (let c = 0; c < width; c++) {
        tensor.data[start + row * width + c] = tensor.data[start + from * width + c] ?? 0;
      }
    }
  }
}

/** Ordinary, 0, anything from 10^−300 to 10^300, or what makes q·k of that size ordinary. */
function drawScale(d: Dice): number {
  const any = d.sign() * (1 + d.uniform()) * 2 ** d.int(-996, 995);
  return d.pick([0.5, 0.35355338454246521, -1, any, any, any, d.chance(0.2) ? 0 : 30]);
}

function drawSoftcap(d: Dice): number {
  const any = (1 + d.uniform()) * 2 ** d.int(-996, 995);
  return d.pick([0, 0, 0, 1, 30, any, any]);
}

function drawParameters(d: Dice): CaseParameters {
  const kv_heads = d.int(1, 2);
  const [seq_q, seq_kv] = [d.int(1, 4), d.chance(0.03) ? 0 : d.int(1, 6)];
  return {
    schema: 1,
    id: 'nasty',
    dtype: d.pick(DTYPES as unknown as [Dtype, ...Dtype[]]),
    batch: d.int(1, 2),
    heads: kv_heads * d.int(1, 3),
    kv_heads,
    seq_q,
    seq_kv,
    head_dim: d.int(1, 4),
    head_dim_v: d.int(1, 4),
    ...(d.chance(0.3) ? { dim_y: d.int(1, 3) } : {}),
    scale: drawScale(d),
    softcap: drawSoftcap(d),
    causal: d.chance(0.5) ? 'none' : (CAUSAL_ALIGNMENTS[d.int(1, 2)] ?? 'none'),
    window: d.chance(0.2) ? [d.int(-1, 3), d.int(-1, 3)] : null,
    media: d.chance(0.2) ? d.pick(['immediate', 'previous']) : null,
    dropout_rate: d.chance(0.3) ? d.pick([0.1, 0.5, 0.9, 0.99999, d.uniform()]) : 0,
    wants: ['out', 'lse', 'd_q', 'd_k', 'd_v'],
    partition: { ranks: 1, q: [seq_q], kv: [seq_kv] },
  };
}

/** A shape that broadcasts to [B, Hq, Sq, Skv]. */
function broadcastShape(d: Dice, p: CaseParameters): number[] {
  const full = [p.batch, p.heads, p.seq_q, p.seq_kv];
  return full.slice(d.chance(0.3) ? d.int(1, 3) : 0).map((size) => (d.chance(0.4) ? 1 : size));
}

function bits(d: Dice, shape: readonly number[], share: number): Tensor {
  const data = Float64Array.from({ length: elementCount(shape) }, () => (d.chance(share) ? 1 : 0));
  return tensorOf<number>(data, shape);
}

function integers(d: Dice, shape: readonly number[], low: number, high: number): Tensor {
  const data = Float64Array.from({ length: elementCount(shape) }, () => d.int(low, high));
  return tensorOf<number>(data, shape);
}

function addStructure(d: Dice, p: CaseParameters, inputs: CaseInputs): void {
  if (d.chance(0.3)) inputs.mask = bits(d, broadcastShape(d, p), 0.7);
  if (d.chance(0.2)) inputs.kv_lengths = integers(d, [p.batch], 0, p.seq_kv);
  if (p.dropout_rate > 0) inputs.dropout_keep = bits(d, broadcastShape(d, p), 0.6);
  if (p.media === null) return;
  inputs.media_text = integers(d, [p.batch, p.seq_q], 0, 3);
  inputs.media_key = integers(d, [p.batch, p.seq_kv], 1, 3);
}

/** Case `seed` of an endless list; wants every output that it can. */
export function nastyCase(seed: number): AttentionCase {
  const d = dice(xoroshiro128plus(seed));
  // A generator's first draws hardly differ between small seeds.
  for (let n = 0; n < 8; n++) d.uniform();
  const p = drawParameters(d);
  const { batch: b, heads: h, kv_heads: g, seq_q: n, seq_kv: m } = p;
  const draw = (...shape: number[]): Tensor => drawn(d, p.dtype, shape);
  const inputs: CaseInputs = { q: draw(b, h, n, p.head_dim), d_out: draw(b, h, n, p.head_dim_v) };
  const more: OutputName[] = [];
  if (p.dim_y === undefined) {
    inputs.k = draw(b, g, m, p.head_dim);
    inputs.v = draw(b, g, m, p.head_dim_v);
    if (d.chance(0.3)) repeatRows(d, inputs.k, 2);
    if (d.chance(0.2)) repeatRows(d, inputs.v, 2);
  } else {
    inputs.y = draw(b, m, p.dim_y);
    inputs.w_k = draw(p.dim_y, g * p.head_dim);
    inputs.w_v = draw(p.dim_y, g * p.head_dim_v);
    if (d.chance(0.3)) repeatRows(d, inputs.y, 1);
    more.push('d_y', 'd_w_k', 'd_w_v');
  }
  if (d.chance(0.5)) inputs.d_lse = draw(b, h, n);
  if (d.chance(0.3)) {
    const bias = draw(...broadcastShape(d, p));
    // Some are −∞, a mask.
    const masked = d.chance(0.3);
    inputs.bias = mapTensor(bias, (x) => (masked && d.chance(0.3) ? Number.NEGATIVE_INFINITY : x));
    more.push('d_bias');
  }
  if (d.chance(0.3)) {
    inputs.sink = draw(h);
    more.push('d_sink');
  }
  addStructure(d, p, inputs);
  return validateCase({ ...p, wants: [...p.wants, ...more] }, inputs);
}
