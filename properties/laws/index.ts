/**
 * Every law, for those who go through all of them.
 * @module
 */
import { batchSplit, headPermutation, recomputation } from './batch-and-heads.ts';
import { biasShift, droppedKeys, keyDuplication, keyPermutation, keyShift } from './keys.ts';
import type { Law } from './law.ts';
import {
  constantV,
  cotangentScaling,
  linearInV,
  scaleExchange,
  scoreGradientSum,
  transposedRoles,
  valueGradientSum,
} from './values.ts';

export const LAWS: readonly Law[] = [
  keyShift,
  biasShift,
  keyPermutation,
  keyDuplication,
  droppedKeys,
  linearInV,
  constantV,
  scaleExchange,
  cotangentScaling,
  transposedRoles,
  scoreGradientSum,
  valueGradientSum,
  batchSplit,
  headPermutation,
  recomputation,
];
