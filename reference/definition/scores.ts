/**
 * The scores of one query row, in the one order of operations there is:
 * s = scale·q·k → softcap → + bias → masked keys are absent. spec (2)-(5)
 *
 * A masked key is left out before its numbers are touched, so a NaN in it cannot leak.
 * @module
 */

import { kvHead } from '../case/heads.ts';
import { broadcastGet } from '../numbers/tensor.ts';
import type { Problem } from './lift.ts';

/** One visible key of a row. */
export interface Score<T> {
  /** Key position. */
  readonly j: number;
  /** The score that enters the softmax. */
  readonly s: T;
  /** tanh(raw/c), the softcap's own value; null without softcap. */
  readonly t: T | null;
}

/** Visible keys of query (b, h, i), by rising j. */
export function rowScores<T>(problem: Problem<T>, b: number, h: number, i: number): Score<T>[] {
  const { parameters, arithmetic, q, k, scale, softcap, bias } = problem;
  const { add, mul, div, zero, tanh } = arithmetic;
  const g = kvHead(parameters, h);
  const row: Score<T>[] = [];
  for (let j = 0; j < parameters.seq_kv; j++) {
    if (!problem.visible(b, h, i, j)) continue;
    let dot = zero;
    for (let c = 0; c < parameters.head_dim; c++) {
      dot = add(dot, mul(q.get(b, h, i, c), k.get(b, g, j, c)));
    }
    const raw = mul(scale, dot); // spec (2)
    const t = parameters.softcap === 0 ? null : tanh(div(raw, softcap));
    const capped = t === null ? raw : mul(softcap, t); // spec (3)
    const s = bias === null ? capped : add(capped, broadcastGet(bias, [b, h, i, j])); // spec (4)
    row.push({ j, s, t });
  }
  return row;
}
