/**
 * What an implementation in JavaScript hands to the judge: its outputs, in whatever they are held.
 * @module
 */
import { OUTPUT_NAMES, type OutputName } from '../case/case.ts';
import type { GivenOutputs } from '../case/given.ts';
import { elementCount, type Tensor, tensorOf } from '../numbers/tensor.ts';

/** Numbers in row-major order, with their shape. */
export interface PlainTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array | readonly number[];
}

/**
 * One output: a tensor; numbers with a shape, or in the case's shape; any of them with the format that
 * they were stored in, which is that of the typed array where nothing is said (F64 of plain numbers).
 */
export type Answer =
  | Tensor
  | PlainTensor
  | PlainTensor['data']
  | { readonly dtype: string; readonly tensor: Tensor | PlainTensor | PlainTensor['data'] };

export type Answers = Partial<Record<OutputName, Answer | undefined>>;

const isTensor = (value: object): value is Tensor =>
  'shape' in value && 'get' in value && typeof value.get === 'function';

/** Numbers under a shape; under their length where there are not as many. */
function shaped(data: PlainTensor['data'], shape: readonly number[]): Tensor {
  const fits = elementCount(shape) === data.length;
  return tensorOf<number>(data as number[], fits ? shape : [data.length]);
}

function tensorIn(
  answer: Tensor | PlainTensor | PlainTensor['data'],
  shape: readonly number[] | undefined,
): Tensor {
  if (isTensor(answer)) return answer;
  if ('shape' in answer) return shaped(answer.data, answer.shape);
  return shaped(answer, shape ?? [answer.length]);
}

const formatOf = (data: unknown): string => (data instanceof Float32Array ? 'F32' : 'F64');

/**
 * Answers as the judge takes them. `shapeOf` gives the shape of numbers that come without one; where
 * they are not as many they keep their length as their shape, and the judge says so.
 */
export function givenAnswers(
  answers: Answers,
  shapeOf?: (name: OutputName) => readonly number[],
): GivenOutputs {
  const outputs: GivenOutputs = {};
  for (const name of OUTPUT_NAMES) {
    const answer = answers[name];
    if (answer === undefined || answer === null) continue;
    const named = 'tensor' in answer;
    const tensor = tensorIn(named ? answer.tensor : answer, shapeOf?.(name));
    outputs[name] = { dtype: named ? answer.dtype : formatOf(tensor.data), tensor };
  }
  return outputs;
}
