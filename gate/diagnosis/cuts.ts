/**
 * Cuts: a part of a case that shows what is wrong first in it, and that costs less to compute: one output, without
 * the backward pass where it needs none, and of large ones a row.
 * @module
 */
import { isGradient, type OutputName } from '../../reference/case/case.ts';
import { UPSTREAM_FIRST } from '../fuzz/kind.ts';
import { isOff } from './agreement.ts';
import { type KeptAnswer, type KeptOutput, workOf } from './kept-answers.ts';

/** A cut, and the row that it is of, where it is of one. */
export interface Cut extends KeptAnswer {
  readonly row?: number;
}

const wrongAt = (output: KeptOutput): number =>
  output.got.findIndex((value, n) => isOff(output, n, value));

/** Outputs that are wrong, those first that others are computed from. */
export const wrongOutputs = ({ outputs }: KeptAnswer): OutputName[] =>
  UPSTREAM_FIRST.filter((name) =>
    outputs.some((output) => output.name === name && wrongAt(output) >= 0),
  );

/** One output alone. */
function toOutput(answer: KeptAnswer, name: OutputName): KeptAnswer {
  const { d_out, d_lse, ...forward } = answer.question.inputs;
  const inputs = isGradient(name) ? answer.question.inputs : forward;
  const parameters = { ...answer.question.parameters, wants: [name] };
  const question = { ...answer.question, inputs, parameters };
  return {
    ...{ id: `${answer.id} ${name}`, question, work: workOf(question) },
    outputs: answer.outputs.filter((output) => output.name === name),
  };
}

/** The row of its first wrong element; null where rows are no axis of it. */
function toRow(answer: KeptAnswer): Cut | null {
  const [output] = answer.outputs;
  const { seq_q } = answer.question.parameters;
  if (output === undefined || !['out', 'lse', 'd_q'].includes(output.name) || seq_q < 2)
    return null;
  const width = output.shape[3] ?? 1;
  const rowAt = (n: number): number => Math.floor(n / width) % seq_q;
  const row = rowAt(wrongAt(output));
  const decides = output.decides.map((bound, n) =>
    rowAt(n) === row ? bound : Number.POSITIVE_INFINITY,
  );
  const id = `${answer.id} row ${row}`;
  return { ...answer, id, row, outputs: [{ ...output, decides }], work: answer.work / seq_q };
}

/** The most of a case that costs at most so much and shows what is wrong first. */
export function cutTo(answer: KeptAnswer, name: OutputName, most: number): Cut {
  if (answer.work <= most) return answer;
  const one = toOutput(answer, name);
  return one.work <= most ? one : (toRow(one) ?? one);
}
