/**
 * What a level of the oracle's ladder is: something that encloses open elements.
 *
 * The levels made here run the one definition (attention.ts, gradients.ts) over balls of a number
 * system, on the rows and keys that the open elements belong to and on nothing else. The kernels
 * (kernel-level.ts, double-level.ts) and exact sums (exact.ts) are levels of other kinds.
 * @module
 */

import type { AttentionCase, OutputName, Outputs } from '../case/case.ts';
import { attention, logSumExp } from '../definition/attention.ts';
import { attentionGradients, gradientsByName } from '../definition/gradients.ts';
import { lift, type Problem } from '../definition/lift.ts';
import type { RowMaxima } from '../kernels/walk/head-rows.ts';
import type { BallSystem } from '../numbers/balls.ts';
import { type Enclosure, emptyRow, enclose, UNKNOWN } from '../numbers/enclosure.ts';
import type { FormatName } from '../numbers/format.ts';
import { indexOf, type Tensor } from '../numbers/tensor.ts';
import type { Budget } from './budget.ts';
import { type OpenElements, type Work, workFor } from './open-elements.ts';

/** What a level may make use of. */
export interface Means {
  /** Threads that may work at once; default 1. No bit depends on it. */
  readonly threads?: number;
  readonly maxima?: RowMaxima;
  /** The work that exact sums and decimals may take; absent = any. */
  readonly budget?: Budget;
}

/** Encloses every open element, by output and flat position. */
export interface Level {
  readonly name: string;
  readonly enclose: (
    attentionCase: AttentionCase,
    open: OpenElements,
    shapes: (output: OutputName) => readonly number[],
    format: FormatName,
    means?: Means,
  ) => (output: OutputName, flat: number) => Enclosure;
}

/** The outputs that the work is about; elsewhere they are not computed. */
export function evaluateWork<T>(
  problem: Problem<T>,
  { forward: rows, lse, backward }: Work,
): Outputs<T | null> {
  const forward = attention(problem, rows);
  const outputs: Outputs<T | null> = { out: forward.out as Tensor<T | null> };
  if (lse) outputs.lse = logSumExp(problem, forward.rows, rows);
  if (backward === null) return outputs;
  for (const [name, tensor] of gradientsByName(attentionGradients(problem, forward, backward))) {
    if (tensor !== null) outputs[name] = tensor as Tensor<T | null>;
  }
  return outputs;
}

/** A level that is made when it is first climbed to. */
export function levelWhenNeeded(name: string, make: () => Level): Level {
  let made: Level | undefined;
  return {
    name,
    enclose: (...asked) => {
      made ??= make();
      return made.enclose(...asked);
    },
  };
}

/** A level over any system of balls. */
export function ballLevel<M, R>({ arithmetic, ends }: BallSystem<M, R>): Level {
  return {
    name: arithmetic.name,
    enclose: (attentionCase, open, shapes, format) => {
      const problem = lift(arithmetic, attentionCase, { lazy: true });
      const outputs = evaluateWork(problem, workFor(problem, open, shapes));
      return (output, flat) => {
        const tensor = outputs[output];
        if (tensor === undefined) throw new Error(`"${output}" was not computed`);
        const ball = tensor.get(...indexOf(tensor.shape, flat));
        if (ball === null) return emptyRow(format);
        const read = ends(ball);
        return read === null ? UNKNOWN : enclose(format, read.low, read.high);
      };
    },
  };
}
