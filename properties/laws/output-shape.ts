/**
 * Every index of an output of a case.
 * @module
 */
import type { AttentionCase, OutputName } from '../../reference/case/case.ts';
import { outputShape } from '../../reference/case/case-shapes.ts';
import { forEachIndex } from '../../reference/numbers/tensor.ts';

/** Indices of an output, row-major; a fresh array each. */
export function indicesOf(c: AttentionCase, output: OutputName): number[][] {
  const all: number[][] = [];
  forEachIndex(outputShape(c, output), (index) => all.push([...index]));
  return all;
}

/** Does the case ask for this output? */
export function wants(c: AttentionCase, output: OutputName): boolean {
  return c.parameters.wants.includes(output);
}
