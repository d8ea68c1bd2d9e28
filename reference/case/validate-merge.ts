/**
 * What makes a merge well-formed beyond the shapes of its tensors: validate.ts asks for it.
 * @module
 */
import { nth } from '../numbers/nth.ts';
import { forEachRun, indexOf } from '../numbers/tensor.ts';
import { type CaseInputs, type CaseParameters, INPUT_NAMES, type InputName } from './case.ts';
import { masks } from './mask.ts';
import { allFinite, place, refuse } from './refuse.ts';

/** The inputs of a merge, and of nothing else. */
export const MERGED: readonly InputName[] = ['outs', 'lses'];

/** A merge has its parts and nothing else, and wants nothing but what it makes of them. */
export function checkMerge(p: CaseParameters, inputs: CaseInputs): void {
  for (const name of MERGED) if (inputs[name] === undefined) refuse(name, 'a tensor', undefined);
  for (const name of INPUT_NAMES) {
    if (MERGED.includes(name) || inputs[name] === undefined) continue;
    refuse(name, 'no tensor in a merge', inputs[name]?.shape);
  }
  const odd = p.wants.find((name) => name !== 'out' && name !== 'lse');
  if (odd !== undefined) refuse('wants', '"out" and "lse" alone of a merge', odd);
}

/** NaN and infinities may stand in the outputs of parts that have no keys. spec (27) */
export function checkParts({ outs, lses }: CaseInputs): void {
  if (outs === undefined || lses === undefined) return;
  forEachRun(outs, (start, run) => {
    if (allFinite(run)) return;
    for (let n = 0; n < run.length; n++) {
      if (Number.isFinite(nth(run, n))) continue;
      const at = indexOf(outs.shape, start + n).slice(0, 4);
      if (masks(lses.get(...at))) continue;
      const expected = 'a finite number of a part that has keys';
      refuse(place('outs', outs, start + n), expected, String(nth(run, n)));
    }
  });
}
