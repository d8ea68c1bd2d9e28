/**
 * The double-double exp and log, the library's and the kernels', on drawn points against decimals.
 * @module
 */
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { CONSTANTS } from '../kernels/double/double-forward.ts';
import { LOST, SHORT } from '../kernels/double/double-radius.ts';
import { kernelModule } from '../kernels/module.ts';
import { TILE } from '../kernels/walk/problem.ts';
import { big } from '../numbers/big.ts';
import {
  type DoubleDouble,
  doubleDouble,
  DOUBLE_DOUBLE_ERROR as ERROR,
  twoSum,
} from '../numbers/double-double.ts';

const decimals = big(45);
const exactly = ({ hi, lo }: DoubleDouble) => decimals.fromNumber(hi).plus(decimals.fromNumber(lo));
type Decimal = ReturnType<typeof exactly>;

/** |got − truth| over what is allowed relative to the result and beside it. */
function share(got: DoubleDouble, truth: Decimal, relative: number, absolute: number): number {
  const value = exactly(got);
  const allowed = value.abs().times(relative).plus(absolute);
  return value.minus(truth).abs().dividedBy(allowed).toNumber();
}

/** Points over the whole range of exp, near zero, and near the multiples of ln 2 and their halves. */
function expPoint(uniform: () => number, n: number): DoubleDouble {
  const k = Math.floor(1700 * uniform()) - 800;
  const hi = [
    1440 * uniform() - 740,
    80 * (uniform() - 0.5),
    (uniform() - 0.5) * 2 ** -Math.floor(80 * uniform()),
    Math.max(-740, Math.min(699, (k / 2) * Math.LN2 * (1 + (uniform() - 0.5) * 2 ** -30))),
  ][n % 4];
  return twoSum(hi ?? 0, (hi ?? 0) * (uniform() - 0.5) * 2 ** -53);
}

/** Positive numbers of every size, subnormal ones included, and those near one. */
function logPoint(uniform: () => number, n: number): DoubleDouble {
  const hi = [
    (1 + uniform()) * 2 ** (Math.floor(2090 * uniform()) - 1070),
    0.5 + uniform(),
    1 + (uniform() - 0.5) * 2 ** -Math.floor(52 * uniform()),
    1e6 * uniform() + 1,
  ][n % 4];
  return twoSum(hi ?? 1, (hi ?? 1) * (uniform() - 0.5) * 2 ** -53);
}

const BATCH = TILE;

/** exp of the kernels, also `short`: the weights of a row of scores about the maximum 0, at most BATCH of them. */
function kernelExp(points: readonly DoubleDouble[], short: boolean): DoubleDouble[] {
  const kernels = kernelModule();
  const t = kernels.layOut({ high: BATCH, low: BATCH, state: 4, constants: CONSTANTS });
  points.forEach(({ hi, lo }, n) => {
    t.high.view[n] = hi;
    t.low.view[n] = lo;
  });
  t.constants.view[0] = 1; // scale
  kernels.run.factorials(t.constants.at + 64);
  const { run } = kernels;
  run.doubleSoftmax(t.high.at, t.low.at, 0, 0, 1, BATCH, BATCH, t.state.at, t.constants.at, short);
  return points.map((_, n) => ({ hi: t.high.view[n] ?? 0, lo: t.low.view[n] ?? 0 }));
}

export interface WorstShares {
  /** Largest error over its bound. */
  library: number;
  kernels: number;
  /** Of the kernels' float64 weights. */
  short: number;
  log: number;
}

/** `count` points of exp, for both, and of log. */
export function doubleFunctionShares(count: number, seed: number): WorstShares {
  const generator = xoroshiro128plus(seed);
  const uniform = () => uniformFloat64(generator);
  const worst: WorstShares = { library: 0, kernels: 0, short: 0, log: 0 };
  const meet = (name: keyof WorstShares, found: number): void => {
    if (!(found <= worst[name])) worst[name] = Number.isNaN(found) ? Infinity : found;
  };
  for (let start = 0; start < count; start += BATCH) {
    const length = Math.min(BATCH, count - start);
    const points = Array.from({ length }, (_, n) => expPoint(uniform, n));
    const [fast, short] = [kernelExp(points, false), kernelExp(points, true)];
    points.forEach((x, n) => {
      const truth = decimals.exp(exactly(x));
      meet('library', share(doubleDouble.exp(x), truth, ERROR.exp, ERROR.tiny));
      meet('kernels', share(fast[n] ?? { hi: 0, lo: 0 }, truth, ERROR.exp, ERROR.tiny));
      meet('short', share(short[n] ?? { hi: 0, lo: 0 }, truth, SHORT, LOST));
    });
    for (let n = 0; n < length; n++) {
      const x = logPoint(uniform, n);
      const truth = decimals.log(exactly(x));
      meet('log', share(doubleDouble.log(x), truth, ERROR.log, ERROR.logAbsolute));
    }
  }
  return worst;
}
