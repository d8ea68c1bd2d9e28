/**
 * Cuts: a part of a case that shows what is wrong first in it, and that costs less to compute: one output, without
 * the backward pass where it needs none, and of large ones a row.
 * @module
 */
import { isGradient, type OutputName } from '../../reference/case/case.ts';
import { UPSTREAM_FIRST } from '../fuzz/kind.ts';
import { isOff } from './agreement.ts';
import type { Group } from './hypotheses.ts';
import { type KeptAnswer, type KeptOutput, workOf } from './kept-answers.ts';

/** A cut: one row of every head, or the heads that share keys and values in one batch entry. */
export interface Cut extends KeptAnswer {
  readonly row?: number;
  readonly group?: Group;
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
    ...{ ...answer, id: `${answer.id} ${name}`, question, work: workOf(question) },
    outputs: answer.outputs.filter((output) => output.name === name),
  };
}

/** The row of its first wrong element; null where rows are no axis of it. */
function toRow(answer: KeptAnswer, place?: number): Cut | null {
  const [output] = answer.outputs;
  const { seq_q } = answer.question.parameters;
  if (output === undefined || !['out', 'lse', 'd_q'].includes(output.name) || seq_q < 2)
    return null;
  const width = output.shape[3] ?? 1;
  const rowAt = (n: number): number => Math.floor(n / width) % seq_q;
  const row = rowAt(place ?? wrongAt(output));
  const decides = output.decides.map((bound, n) =>
    rowAt(n) === row ? bound : Number.POSITIVE_INFINITY,
  );
  const id = `${answer.id} row ${row}`;
  return { ...answer, id, row, outputs: [{ ...output, decides }], work: answer.work / seq_q };
}

/** The batch entry and KV head of its first wrong element; null where it is not of keys. */
function toGroup(answer: KeptAnswer): Cut | null {
  const [output] = answer.outputs;
  const { batch, kv_heads } = answer.question.parameters;
  if (output === undefined || !['d_k', 'd_v'].includes(output.name) || batch * kv_heads < 2) {
    return null;
  }
  const size = output.got.length / (batch * kv_heads);
  const own = Math.floor(wrongAt(output) / size);
  const decides = output.decides.map((bound, n) =>
    Math.floor(n / size) === own ? bound : Number.POSITIVE_INFINITY,
  );
  const group = { b: Math.floor(own / kv_heads), g: own % kv_heads };
  const id = `${answer.id} group ${own}`;
  const work = answer.work / (batch * kv_heads);
  return { ...answer, id, group, outputs: [{ ...output, decides }], work };
}

/** The most of a case that costs at most so much and shows what is wrong first; of what is asked after others, all. */
export function cutTo(answer: KeptAnswer, name: OutputName, most: number): Cut {
  if (answer.work <= most || answer.before !== undefined) return answer;
  const one = toOutput(answer, name);
  return one.work <= most ? one : (toRow(one) ?? toGroup(one) ?? one);
}

/** The last row of outputs that are right. */
export function rightCuts(answer: KeptAnswer): Cut[] {
  if (answer.before !== undefined) return [];
  const wrong = wrongOutputs(answer);
  return (['out', 'd_q'] as const).flatMap((name) => {
    const right = answer.outputs.find((output) => output.name === name && !wrong.includes(name));
    return (right && toRow(toOutput(answer, name), right.got.length - 1)) ?? [];
  });
}
