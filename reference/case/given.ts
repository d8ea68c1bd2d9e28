/**
 * What is judged: the outputs that a candidate gave, each in the format it stored them in.
 * @module
 */
import type { Tensor } from '../numbers/tensor.ts';
import type { OutputName } from './case.ts';

/** A candidate's outputs: the format each was stored in, and the numbers it denotes. */
export type GivenOutputs = Partial<
  Record<OutputName, { readonly dtype: string; readonly tensor: Tensor }>
>;

/** Formats that outputs may be stored in, by their safetensors names. */
export const STORED: Readonly<Record<string, 'f64' | 'f32' | 'f16' | 'bf16'>> = {
  F64: 'f64',
  F32: 'f32',
  F16: 'f16',
  BF16: 'bf16',
};
