/**
 * `xattn oracle`: the correctly rounded answer to a case, into its folder as
 * `expected.safetensors`; with `bounds`, the float64 enclosure NAME.lo, NAME.hi of each output too.
 * @module
 */
import path from 'node:path';
import type { AttentionCase, OutputName } from '../../reference/case/case.ts';
import { sampleOf } from '../../reference/case/sampling.ts';
import { type ExpectedTensor, openCase, writeExpected } from '../../reference/files/case-folder.ts';
import type { StoredDtype } from '../../reference/numbers/stored-dtype.ts';
import { type Tensor, tensorOf, toFlat } from '../../reference/numbers/tensor.ts';
import type { OracleAnswer, Undecided, Why } from '../../reference/oracle/oracle.ts';
import { sayCost } from '../cost.ts';
import { threadsFor } from '../threads.ts';
import { type AnswerFormat, choiceOf, type SampleOptions } from './options.ts';

export interface OracleOptions extends SampleOptions {
  format: AnswerFormat;
  bounds?: true;
  work?: number;
  maxSeconds?: number;
}

const STORED: Record<AnswerFormat, StoredDtype> = {
  f64: 'F64',
  f32: 'F32',
  f16: 'F16',
  bf16: 'BF16',
  'fp8-e4m3': 'F8_E4M3',
  'fp8-e5m2': 'F8_E5M2',
};

function namedTensors(answer: OracleAnswer, { format, bounds }: OracleOptions): ExpectedTensor[] {
  const names = Object.keys(answer.values) as OutputName[];
  return names.flatMap((name) => {
    const { values, lo, hi } = answer;
    const parts: [string, StoredDtype, Tensor | undefined][] = [
      [name, STORED[format], values[name]],
    ];
    if (bounds) parts.push([`${name}.lo`, 'F64', lo[name]], [`${name}.hi`, 'F64', hi[name]]);
    return parts.flatMap(([part, dtype, tensor]) =>
      tensor ? [{ name: part, dtype, tensor }] : [],
    );
  });
}

const SHOWN = 4;

/** `out [1, 4, 7, 16] F32: 0.5, 0.25, …`. */
function tensorLine({ name, dtype, tensor }: ExpectedTensor): string {
  const values = toFlat(tensor);
  const shown = values.slice(0, SHOWN).join(', ') || 'no elements';
  const rest = values.length > SHOWN ? ', …' : '';
  return `${name} [${tensor.shape.join(', ')}] ${dtype}: ${shown}${rest}`;
}

const REASONS: readonly (readonly [Why, string])[] = [
  ['digits', 'no number of digits tried tells'],
  ['work', 'more work than granted: --work'],
  ['time', 'past --max-seconds'],
];

/** How sure the answer is: nothing undecided is passed over in silence. */
function certaintyLine({ undecided, decidedBy }: OracleAnswer, format: AnswerFormat): string {
  const ways = Object.entries(decidedBy).map(([system, count]) => `${count} in ${system}`);
  const decided = `correctly rounded to ${format}: ${ways.join(', ') || 'no elements'}`;
  if (undecided.length === 0) return decided;
  const named = ({ output, index }: Undecided): string => `${output}[${index.join(', ')}]`;
  const reasons = REASONS.flatMap(([why, sentence]) => {
    const open = undecided.filter((one) => one.why === why);
    return open.length === 0 ? [] : [`${open.map(named).join(' ')} (${sentence})`];
  });
  return `${decided}; undecided (written as NaN): ${reasons.join('; ')}`;
}

/** Which part of the case was answered for; nothing where it is all of it. */
function sampleLines({ sample, notSampled }: OracleAnswer, question: AttentionCase): string[] {
  const { seq_q, seq_kv } = question.parameters;
  const part = (what: string, chosen: readonly number[] | null, all: number): string =>
    chosen === null ? `all ${all} ${what}` : `${chosen.length} of ${all} ${what}`;
  if (sample.rows === null && sample.keys === null) return [];
  const left = notSampled.length === 0 ? '' : `; in no sample: ${notSampled.join(' ')}`;
  return [
    `sample of every head: ${part('query rows', sample.rows, seq_q)}, ${part('keys', sample.keys, seq_kv)}${left}`,
  ];
}

/** Which rows and keys a file of a sample holds. */
function positionTensors({ sample }: OracleAnswer): ExpectedTensor[] {
  return (['rows', 'keys'] as const).flatMap((name) => {
    const chosen = sample[name];
    if (chosen === null) return [];
    return [
      { name, dtype: 'I64' as const, tensor: tensorOf<number>([...chosen], [chosen.length]) },
    ];
  });
}

async function answerTo(question: AttentionCase, options: OracleOptions): Promise<OracleAnswer> {
  sayCost(question, sampleOf(question.parameters, choiceOf(options)));
  const { oracle } = await import('../../reference/oracle/oracle.ts');
  const { format, work, maxSeconds } = options;
  const limits = {
    ...(work === undefined ? {} : { work }),
    ...(maxSeconds === undefined ? {} : { maxSeconds }),
  };
  const threads = threadsFor(question);
  return oracle(question, { format, threads, ...limits, ...choiceOf(options) });
}

/** The number systems take a second to load: not before the case is known to be one. */
export async function oracleCommand(folder: string, options: OracleOptions): Promise<number> {
  const { attentionCase, close } = openCase(folder);
  const answer = await answerTo(attentionCase, options).finally(close);
  const tensors = namedTensors(answer, options);
  writeExpected(folder, [...tensors, ...positionTensors(answer)]);
  const file = path.join(folder, 'expected.safetensors');
  const lines = [
    ...tensors.map(tensorLine),
    ...sampleLines(answer, attentionCase),
    certaintyLine(answer, options.format),
    `wrote ${file}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  return 0;
}
