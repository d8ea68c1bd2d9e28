/**
 * Values of tensors: regimes, drawn from a seed and a place.
 *
 * An element depends on the seed, the tensor's name and its own index only, so that a case which
 * shrinks (a query less, a component less) keeps the numbers it has left, and with them its fault.
 * The same bits on every machine: additions, multiplications and bit patterns only.
 * @module
 */
import fc from 'fast-check';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { Dtype } from '../../reference/case/case.ts';
import { decode, minSubnormal, roundTo } from '../../reference/numbers/format.ts';
import {
  elementCount,
  forEachIndex,
  type Tensor,
  tensorOf,
} from '../../reference/numbers/tensor.ts';

/** From the plainest to the strangest: shrinking goes to the left. */
export const REGIMES = [
  'exact',
  'normal',
  'peaked',
  'cancelling',
  'subnormal',
  'wide',
  'bits',
] as const;
export type Regime = (typeof REGIMES)[number];

/** A regime, `normal` most often; without `bits` and `wide` no product of four overflows f32. */
export function regimeArbitrary(regimes: readonly Regime[] = REGIMES): fc.Arbitrary<Regime> {
  const each = fc.constantFrom(...regimes);
  if (!regimes.includes('normal')) return each;
  return fc.oneof(
    { withCrossShrink: true },
    { weight: 3, arbitrary: each },
    { weight: 2, arbitrary: fc.constant<Regime>('normal') },
  );
}

/** Seeds of values; small ones are as good as large ones, so they shrink freely. */
export const seedArbitrary: fc.Arbitrary<number> = fc.integer({ min: 0, max: 0x7fffffff });

/** One 32-bit seed of a seed, a name and a place (FNV-1a over 32-bit words, then a finisher). */
function seedAt(seed: number, name: string, index: readonly number[]): number {
  let hash = 0x811c9dc5 ^ seed;
  const mix = (word: number): void => {
    hash = Math.imul(hash ^ word, 0x01000193);
    hash ^= hash >>> 15;
  };
  for (let n = 0; n < name.length; n++) mix(name.charCodeAt(n));
  for (const extent of index) mix(extent + 1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  return hash ^ (hash >>> 16);
}

/** Uniform numbers in [0, 1) that belong to one place of one tensor. */
export function uniformAt(seed: number, name: string, index: readonly number[]): () => number {
  const generator = xoroshiro128plus(seedAt(seed, name, index));
  uniformFloat64(generator); // the first number still shows the seed
  return () => uniformFloat64(generator);
}

function normal(uniform: () => number): number {
  let sum = -6;
  for (let n = 0; n < 12; n++) sum += uniform();
  return sum;
}

const bits = new DataView(new ArrayBuffer(8));

/** A finite number of the dtype from random bits; exponents biased towards the middle half of the time. */
function fromBits(dtype: Dtype, uniform: () => number): number {
  const word = Math.floor(uniform() * 2 ** 32);
  if (dtype === 'f16' || dtype === 'bf16') {
    const value = decode(dtype, word & 0xffff);
    return Number.isFinite(value) ? value : decode(dtype, word & 0x83ff);
  }
  bits.setUint32(0, word);
  bits.setUint32(4, Math.floor(uniform() * 2 ** 32));
  const value = dtype === 'f32' ? bits.getFloat32(0) : bits.getFloat64(0);
  return Number.isFinite(value) ? value : 1;
}

/** One number of a regime; `parity` alternates along the row axis, for cancellation. */
function draw(regime: Regime, dtype: Dtype, parity: number, uniform: () => number): number {
  switch (regime) {
    case 'exact':
      return Math.floor(uniform() * 7) - 3;
    case 'normal':
      return normal(uniform);
    case 'peaked':
      return 4 * normal(uniform);
    case 'cancelling':
      return (parity === 0 ? 1 : -1) * (64 + normal(uniform) / 16);
    case 'subnormal':
      return (Math.floor(uniform() * 2001) - 1000) * minSubnormal(dtype);
    case 'wide':
      return normal(uniform) * 2 ** (Math.floor(uniform() * 25) - 18);
    case 'bits':
      return fromBits(dtype, uniform);
  }
}

/** A tensor of numbers of `dtype`; `shift` is added before rounding. */
export function drawTensor(
  { seed, regime, dtype }: { seed: number; regime: Regime; dtype: Dtype },
  name: string,
  shape: readonly number[],
  shift = 0,
): Tensor {
  const tensor = tensorOf<number>(new Float64Array(elementCount(shape)), shape);
  const rowAxis = Math.max(0, shape.length - 2);
  forEachIndex(shape, (index) => {
    const uniform = uniformAt(seed, name, index);
    const value = draw(regime, dtype, (index[rowAxis] ?? 0) % 2, uniform);
    const rounded = roundTo(dtype, value + shift);
    tensor.set(...index, Number.isFinite(rounded) ? rounded : roundTo(dtype, shift));
  });
  return tensor;
}
