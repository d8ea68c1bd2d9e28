/**
 * Drawn error models and magnitudes, to hold the program's formulas against those that are proved.
 * @module
 */
import fc from 'fast-check';
import { expect } from 'vitest';
import { type ErrorModel, referenceModel } from '../../reference/bounds/lemmas/error-model.ts';
import { exp } from '../../reference/numbers/float64.ts';

const number = fc.double({ min: 2 ** -12, max: 64, noNaN: true });
const roundoff = fc.double({ min: 2 ** -24, max: 2 ** -5, noNaN: true });
const count = fc.integer({ min: 1, max: 1000 });

/** A model whose every roundoff is another number, none negligible: no term can hide. */
const model: fc.Arbitrary<ErrorModel> = fc
  .array(roundoff, { minLength: 14, maxLength: 14 })
  .map((u) => {
    const at = (n: number): number => u[n] ?? 0;
    return {
      ...referenceModel(at(0), at(1)),
      operand: at(2),
      scaledOperand: at(2),
      scores: at(3),
      exponential: at(4),
      probabilities: at(5),
      accumulation: at(6),
      output: at(7),
      tanh: at(8),
      operandTiny: at(9),
      outputTiny: at(10),
      input: at(11),
      stored: at(12),
      inputTiny: at(13),
      storedTiny: at(0),
      summed: at(5),
      weightTiny: at(13),
      headroom: 64 * at(4),
      rescaledTiny: at(1) * exp(64 * at(4)),
    };
  });

function same(program: number, theorem: number): void {
  expect(Math.abs(program - theorem)).toBeLessThanOrEqual(1e-11 * Math.abs(theorem));
}

/** Draws a model and named magnitudes, and compares. */
export function agree<K extends string>(
  names: readonly K[],
  compare: (m: ErrorModel, x: Readonly<Record<K, number>>, n: number) => [number, number],
): void {
  const magnitudes = fc.record(
    Object.fromEntries(names.map((name) => [name, number])) as Record<K, typeof number>,
  ) as fc.Arbitrary<Record<K, number>>;
  fc.assert(
    fc.property(model, magnitudes, count, (m, x, n) => {
      same(...compare(m, x, n));
    }),
    { seed: 4, numRuns: 300 },
  );
}

/** A text with each of its numbers changed by one, once; what is not code is left out before. */
export function* constantsChanged(text: string): Generator<string> {
  for (const { 0: number, index } of text.matchAll(/(?<![\w.])\d+(?![\w.])/g)) {
    yield `${text.slice(0, index)}${Number(number) + 1}${text.slice(index + number.length)}`;
  }
}

/** The text of a definition of a Coq source, from its parameters on. Throws when it has none. */
export function definition(source: string, name: string): string {
  const [text] = new RegExp(`(?<=^Definition ${name} )[^]*?\\.\\n`, 'm').exec(source) ?? [];
  if (text === undefined) throw new Error(`no Definition ${name}`);
  return text;
}
