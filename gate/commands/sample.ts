/**
 * A case opened to be judged, and the part of it that a command is about.
 * @module
 */
import type { AttentionCase } from '../../reference/case/case.ts';
import { type Sample, sampleOf } from '../../reference/case/sampling.ts';
import { openCase } from '../../reference/files/case-folder.ts';
import { WHOLE_LIMIT } from '../../reference/files/regular-file.ts';
import { isRanged } from '../../reference/numbers/tensor.ts';
import { judgedOutputs } from '../../reference/verdict/sampled-expectation.ts';
import { sayCost } from '../cost.ts';
import { choiceOf, type SampleOptions } from './options.ts';

export interface ToJudge {
  readonly question: AttentionCase;
  /** Undefined = all of it. */
  readonly sample: Sample | undefined;
  readonly close: () => void;
}

function sampleFor(question: AttentionCase, options: SampleOptions): Sample | undefined {
  const { rows, keys } = options;
  if (rows === undefined && keys === undefined) {
    if (!Object.values(question.inputs).some(({ data }) => isRanged(data))) return undefined;
    throw new RangeError(
      `"--rows", "--keys" expected a sample of a case with inputs of more than ${WHOLE_LIMIT} bytes, got none`,
    );
  }
  const sample = sampleOf(question.parameters, choiceOf(options));
  if (judgedOutputs(question, sample).length === 0) {
    throw new RangeError(
      '"--rows", "--keys" expected an output with rows or keys among the wanted',
    );
  }
  return sample;
}

/** A case to judge, and the sample that is asked for; inputs too large for memory need one. */
export function openToJudge(folder: string, options: SampleOptions): ToJudge {
  const { attentionCase, close } = openCase(folder);
  try {
    const sample = sampleFor(attentionCase, options);
    sayCost(attentionCase, sample);
    return { question: attentionCase, sample, close };
  } catch (error) {
    close();
    throw error;
  }
}
