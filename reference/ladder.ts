/**
 * The ladder of the oracle, cheapest level first.
 * @module
 */
import { bigBall, doubleDoubleBall, float64Ball } from './arithmetic/balls.ts';
import { EXACT } from './exact.ts';
import { encloseByKernels } from './kernels/level.ts';
import { ballLevel, type Level } from './levels.ts';

/** Decimal digits of the last levels; what is open after them is undecided. */
export const DIGITS = [60, 120, 240, 480, 960] as const;

/**
 * Multiplications of Q Kᵀ from which on the fast kernels take the place of float64 balls. Below,
 * balls are quick enough and know exact answers.
 */
const LARGE = 2 ** 20;

const smallFloat64 = ballLevel(float64Ball);

/** Float64: balls over the definition, or the fast kernels where the case is large. */
const float64Level: Level = {
  name: smallFloat64.name,
  enclose: (attentionCase, ...rest) => {
    const { batch, heads, seq_q, seq_kv, head_dim } = attentionCase.parameters;
    const large = batch * heads * seq_q * seq_kv * head_dim >= LARGE;
    return (large ? encloseByKernels : smallFloat64.enclose)(attentionCase, ...rest);
  },
};

export const LADDER: readonly Level[] = [
  float64Level,
  ballLevel(doubleDoubleBall),
  EXACT,
  ...DIGITS.map((digits) => ballLevel(bigBall(digits))),
];
