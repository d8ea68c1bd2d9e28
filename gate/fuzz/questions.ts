/**
 * What a hunt draws: cases of attention, and of each step that a candidate takes by itself, of the features and
 * dtypes that it has.
 * @module
 */
import type fc from 'fast-check';
import {
  type CaseOptions,
  caseArbitrary,
  OPTIONAL_FEATURES,
} from '../../properties/arbitraries/attention-case.ts';
import { buildMerge, mergeRecipeArbitrary } from '../../properties/arbitraries/merge-case.ts';
import { type AttentionCase, DTYPES } from '../../reference/case/case.ts';
import { evenOver } from '../dealing.ts';

/** What a candidate says that it has. */
export interface Has {
  readonly supports: ReadonlySet<string>;
  /** World sizes that the candidate names; undefined = it takes any. */
  readonly ranks?: readonly number[] | undefined;
}

/** What the candidate can be asked. */
export function drawable({ supports, ranks }: Has): CaseOptions {
  const word = (feature: (typeof OPTIONAL_FEATURES)[number]): boolean =>
    feature === 'causal'
      ? supports.has('causal-top-left') && supports.has('causal-bottom-right')
      : supports.has(feature);
  return {
    dtypes: DTYPES.filter((dtype) => supports.has(dtype)),
    without: OPTIONAL_FEATURES.filter((feature) => !word(feature)),
    ...(supports.has('backward') ? {} : { direction: 'forward' as const }),
    shape: {
      ...(supports.has('gqa') ? {} : { group: 1 }),
      evenOver: evenOver({ supports, ...(ranks === undefined ? {} : { ranks }) }),
    },
    ...(supports.has('uneven') ? {} : { maxRanks: 1 }),
  };
}

/** So many draws of one seed. */
export interface Draws {
  readonly drawn: fc.Arbitrary<AttentionCase>;
  readonly seed: number;
  readonly numRuns: number;
}

const BATCH = 100;
/** Of a step beside attention. */
const FEW = 25;

/** The batches of one turn. */
export function drawsOf(options: Has, seed: number): Draws[] {
  const { supports } = options;
  const attention = supports.has('forward');
  const draws: Draws[] = [];
  if (attention) draws.push({ drawn: caseArbitrary(drawable(options)), seed, numRuns: BATCH });
  if (supports.has('merge')) {
    const dtypes = DTYPES.filter((dtype) => supports.has(dtype));
    const recipes = mergeRecipeArbitrary({ dtypes, poison: supports.has('poison') });
    draws.push({ drawn: recipes.map(buildMerge), seed, numRuns: attention ? FEW : BATCH });
  }
  return draws;
}
