/**
 * Masks gone wrong: the steps of a host that sees who attends to whom by another case than its own.
 * @module
 */
import type { AttentionCase, CaseParameters } from '../../reference/case/case.ts';
import { type Visibility, visibility } from '../../reference/case/mask.ts';
import type { Pass, Seams } from './host/seams.ts';

/** Visibility as of the changed case, in both passes or in one; honest in the other. */
export function maskedAs(
  change: (attentionCase: AttentionCase) => AttentionCase,
  only?: Pass,
): Partial<Seams> {
  let changed: Visibility = () => true;
  return {
    begin: (x) => {
      changed = visibility(change(x.attentionCase));
    },
    visible: (x, { b, h, i, j, pass }) =>
      only === undefined || pass === only ? changed(b, h, i, j) : x.visible(b, h, i, j),
  };
}

/** The case with some parameters changed. */
export const withParameters =
  (change: Partial<CaseParameters>) =>
  (attentionCase: AttentionCase): AttentionCase => ({
    ...attentionCase,
    parameters: { ...attentionCase.parameters, ...change },
  });

/** The case without some of its inputs. */
export const withoutInputs =
  (...names: (keyof AttentionCase['inputs'])[]) =>
  (attentionCase: AttentionCase): AttentionCase => {
    const kept = Object.entries(attentionCase.inputs).filter(
      ([name]) => !(names as string[]).includes(name),
    );
    return { ...attentionCase, inputs: Object.fromEntries(kept) };
  };
