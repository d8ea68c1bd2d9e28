/**
 * The gradients through recomputed K and V in double-double with radii: dY, dW_K and dW_V from dK and dV.
 * spec (25), (26)
 *
 * As feature-gradients.ts does it in float64; radii as in spec/bounds.md §9, lemma Features.
 * @module
 */

import type { CaseParameters } from '../../case/case.ts';
import { type DoubleDouble, doubleDouble } from '../../numbers/double-double.ts';
import { nth, nthIfAny } from '../../numbers/nth.ts';
import type { Tensor } from '../../numbers/tensor.ts';
import { type FeatureGradients, newFeatureGradients } from '../float64/feature-gradients.ts';
import {
  eachBlock,
  eachHeldPart,
  type FeatureBlock,
  type KeyPart,
} from '../float64/feature-parts.ts';
import { inputOf, weights } from '../float64/features.ts';
import { SLACK } from '../float64/radius.ts';
import { featureModule } from '../module.ts';
import type { KernelProblem } from '../walk/problem.ts';
import { fresh } from '../walk/room.ts';
import { exactly } from './double-features.ts';
import { type DoubleMatrix, doubleProduct, doubleTransposed } from './double-matrix.ts';
import { STEP } from './double-radius.ts';
import { type Allocate, type DoubleSums, newDoubleSums, put } from './double-sums.ts';
import type { DoubleBackwardTask } from './double-work.ts';

/** What dK and dV of a part of the keys make of dY, and add to dW. A unit is a slab. */
export interface DoubleFeaturesTask extends FeatureGradients<DoubleSums>, KeyPart {
  readonly kind: 'features';
  /** dK [B, Hkv, keys, d] and dV [B, Hkv, keys, dv]. */
  readonly dK: DoubleSums;
  readonly dV: DoubleSums;
}

const word = ({ high, low }: DoubleMatrix | DoubleSums, n: number): DoubleDouble => ({
  hi: nth(high, n),
  lo: nthIfAny(low, n),
});

/** sums[at] = x + y with errors: of the sum, ε is lost. */
function putSum(
  sums: DoubleSums,
  at: number,
  x: DoubleDouble,
  y: DoubleDouble,
  error: number,
): void {
  const sum = doubleDouble.add(x, y);
  put(sums, at, sum, (error + Math.abs(sum.hi) * STEP) * SLACK);
}

/** Adds a slab of Yᵀ dK to dW, from element `from` on. spec (26) */
function addWeights(
  dW: DoubleSums,
  from: number,
  { turned, opening }: FeatureBlock,
  gradient: DoubleMatrix,
): void {
  const product = doubleProduct(featureModule(), exactly(turned), gradient);
  const { error } = product;
  for (let n = 0; n < product.high.length; n++) {
    const [at, own] = [from + n, nthIfAny(error, n)];
    if (opening) put(dW, at, word(product, n), own);
    else putSum(dW, at, word(dW, at), word(product, n), nth(dW.radius, at) + own);
  }
}

/** Unit `n` of a features task. */
export function addDoubleFeatures(
  problem: Pick<KernelProblem, 'parameters' | 'inputs' | 'room'>,
  task: DoubleFeaturesTask,
  n: number,
): void {
  const { parameters: p } = problem;
  const { d_y } = task;
  const through = (
    block: FeatureBlock,
    sums: DoubleSums,
    width: number,
    w: Tensor,
    dW: DoubleSums | null,
  ): DoubleMatrix => {
    const { rows, first, columns, byKey } = block;
    const across = p.kv_heads * width;
    const plane = (from: Float64Array) => byKey(from, width, new Float64Array(rows * across));
    const { high, low, radius } = sums;
    const words = { high: plane(high), low: plane(low), error: plane(radius) };
    const gradient: DoubleMatrix = { rows, columns: across, ...words };
    if (dW !== null) addWeights(dW, first * across, block, gradient);
    const ofSlab = exactly(weights(w, [first, columns], [0, across], fresh));
    return doubleProduct(featureModule(), gradient, doubleTransposed(ofSlab));
  };
  eachBlock(problem, task, n, (block) => {
    const fromK = through(block, task.dK, p.head_dim, inputOf(problem, 'w_k'), task.d_w_k);
    const fromV = through(block, task.dV, p.head_dim_v, inputOf(problem, 'w_v'), task.d_w_v);
    if (d_y === null) return;
    for (let r = 0; r < block.rows; r++) {
      const place = block.place(r);
      for (let c = 0; c < block.columns; c++) {
        const from = r * block.columns + c;
        const error = nthIfAny(fromK.error, from) + nthIfAny(fromV.error, from);
        putSum(d_y, place + c, word(fromK, from), word(fromV, from), error);
      }
    }
  });
}

/** As throughFeatures. */
export function throughDoubleFeatures(
  p: CaseParameters,
  run: {
    readonly perform: (task: DoubleBackwardTask | DoubleFeaturesTask) => void;
    readonly allocate: Allocate;
  },
  task: DoubleBackwardTask,
): FeatureGradients<DoubleSums> {
  const sums = (length: number) => newDoubleSums(length, run.allocate);
  const found = newFeatureGradients(p, task.keys.length, sums);
  eachHeldPart(p, sums, task, (part, dK, dV) => {
    const last = part.first + part.keys.length === part.keyCount;
    run.perform({ ...task, keys: part.keys, dK, dV, last });
    run.perform({ kind: 'features', ...found, ...part, dK, dV });
  });
  return found;
}
