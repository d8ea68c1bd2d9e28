/**
 * Chosen query rows, of each head its own, and the place of each among all of them.
 * @module
 */

import type { CaseParameters } from '../../case/case.ts';
import { entry } from '../../numbers/nth.ts';

export interface HeadRows {
  /** Rising positions, of each head b·Hq + h. */
  readonly rows: readonly (readonly number[])[];
  /** Place of the first row of each head; results of rows are flat, [count, ·]. */
  readonly starts: readonly number[];
  readonly count: number;
}

/** Columns of `out` that are wanted of each row, rising, by the place of the row. */
export type Columns = readonly (readonly number[])[];

/** The largest score of row `row` of head b·Hq + h, as the float64 kernels found it; undefined = not known. */
export type RowMaxima = (head: number, row: number) => number | undefined;

export function headRows(rows: readonly (readonly number[])[]): HeadRows {
  let count = 0;
  const starts = rows.map((list) => {
    count += list.length;
    return count - list.length;
  });
  return { rows, starts, count };
}

/** The same rows of every head: results are [B, Hq, rows, ·]. */
export function sameRows({ batch, heads }: CaseParameters, rows: readonly number[]): HeadRows {
  return headRows(Array.from({ length: batch * heads }, () => rows));
}

/** Every row of every head. */
export function everyRow(parameters: CaseParameters): HeadRows {
  const all = Array.from({ length: parameters.seq_q }, (_, i) => i);
  return sameRows(parameters, all);
}

/** Calls `visit` with the place of each row, its head and its position. */
export function eachRow(
  { rows, starts }: HeadRows,
  visit: (n: number, head: number, i: number) => void,
): void {
  rows.forEach((list, head) => {
    list.forEach((i, r) => {
      visit(entry(starts, head) + r, head, i);
    });
  });
}
