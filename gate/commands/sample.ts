/**
 * A case opened to be judged, and the part of it that a command is about.
 * @module
 */
import type { AttentionCase } from '../../reference/case/case.ts';
import { type Sample, type SampleSize, sampleOf } from '../../reference/case/sampling.ts';
import { openCase } from '../../reference/files/case-folder.ts';
import { WHOLE_LIMIT } from '../../reference/files/regular-file.ts';
import { isRanged } from '../../reference/numbers/tensor.ts';
import { isByPairs } from '../../reference/verdict/expectation.ts';
import { judgedOutputs } from '../../reference/verdict/sampled-expectation.ts';
import { sayCost } from '../cost.ts';
import { type OptionValue, optionWords } from '../keep.ts';
import { printedWord } from '../text.ts';
import { choiceOf, type SampleOptions } from './options.ts';

export interface ToJudge {
  readonly question: AttentionCase;
  /** Undefined = all of it. */
  readonly sample: Sample | undefined;
  readonly close: () => void;
}

/** Are there inputs that are read piece by piece? */
const isLarge = ({ inputs }: AttentionCase): boolean =>
  Object.values(inputs).some(({ data }) => isRanged(data));

function sampleFor(question: AttentionCase, options: SampleOptions): Sample | undefined {
  const { rows, keys } = options;
  if (rows === undefined && keys === undefined) {
    if (!isLarge(question)) return undefined;
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
  return isAll(question, sample) ? undefined : sample;
}

/** Is the sample the whole case, and one to be judged as such, pair by pair? */
function isAll(question: AttentionCase, { rows, keys }: Sample): boolean {
  if (isLarge(question)) return false;
  const { seq_q, seq_kv } = question.parameters;
  const [allRows, allKeys] = [rows?.length ?? seq_q, keys?.length ?? seq_kv];
  return allRows === seq_q && allKeys === seq_kv && isByPairs(question);
}

/** The options of a sample as they are typed again. */
export function sampleWords({ rows, keys, seed }: SampleOptions): Record<string, OptionValue> {
  // `3,` is the position 3, and no position is as many as 0.
  const list = (size: SampleSize | undefined): string | undefined => {
    if (size === undefined || typeof size === 'number') return size?.toString();
    return size.length === 0 ? '0' : `${size.join(',')},`;
  };
  return { rows: list(rows), keys: list(keys), seed: seed ? String(seed) : undefined };
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

/** The command that judges the outputs in a folder again. */
export function judgeLine(folder: string, profile: string, options: SampleOptions): string {
  const words = Object.entries({ profile, ...sampleWords(options) });
  return [
    'xattn',
    'judge',
    printedWord(folder),
    ...words.flatMap((one) => optionWords(...one)),
  ].join(' ');
}
