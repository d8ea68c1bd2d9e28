/**
 * The work that an answer may take: counted, not timed, so that the same elements stay undecided on
 * every machine.
 *
 * Exact sums and decimals are what may take minutes for a tiny case. Their cost is told beforehand
 * from the case's sizes and the digits, in units of about a microsecond on a machine of 2024, and what
 * is granted is a minute's worth and some more for each element asked for. What would exceed it is
 * left undecided, with that as the reason.
 * @module
 */

import type { CaseParameters, OutputName } from '../case/case.ts';
import { visibility } from '../case/mask.ts';
import { UNKNOWN } from '../numbers/enclosure.ts';
import { entry } from '../numbers/nth.ts';
import { indexOf } from '../numbers/tensor.ts';
import { afford } from './budget.ts';
import type { Level } from './levels.ts';
import { type OpenElements, openCount, type Work, workFor } from './open-elements.ts';

export type Shapes = (output: OutputName) => readonly number[];

/** What an element is computed with: its row, its key, its KV head or its own line. */
function groupOf(
  { kv_heads }: CaseParameters,
  output: OutputName,
  shape: readonly number[],
  flat: number,
): string {
  const index = indexOf(shape, flat);
  switch (output) {
    case 'out':
    case 'd_q':
      return `row ${index.slice(0, 3)}`;
    case 'd_k':
    case 'd_v':
      return `key ${index.slice(0, 3)}`;
    case 'd_w_k':
    case 'd_w_v':
      return `${output} ${Math.floor((entry(index, 1) * kv_heads) / (shape[1] ?? 1))}`;
    case 'd_y':
    case 'd_bias':
      return `${output} ${index.slice(0, -1)}`;
    default: // the LSE leaves the field where it is irrational: apart
      return `${output} ${index}`;
  }
}

/** Open elements by what they are computed with. */
export function grouped(
  parameters: CaseParameters,
  open: OpenElements,
  shapes: Shapes,
): Iterable<OpenElements> {
  const groups = new Map<string, OpenElements>();
  for (const [output, flats] of open) {
    for (const flat of flats) {
      const key = groupOf(parameters, output, shapes(output), flat);
      const group = groups.get(key) ?? new Map<OutputName, number[]>();
      const list = group.get(output) ?? [];
      list.push(flat);
      group.set(output, list);
      groups.set(key, group);
    }
  }
  return groups.values();
}

/** Products that recomputing K and V takes, and as many again for each of dY and dW. */
export const featureProducts = (p: CaseParameters): number =>
  p.batch * p.kv_heads * p.seq_kv * (p.head_dim + p.head_dim_v) * (p.dim_y ?? 0);

/** Units of one operation on balls of so many decimal digits; of an exponential, a quarter of that a digit. */
const operation = (digits: number): number => 6 + digits ** 2 / 46_000;

/** Units that a piece of work takes in decimals, roughly. */
function decimalCost(p: CaseParameters, work: Work, digits: number): number {
  const { head_dim: d, head_dim_v: e } = p;
  const products = work.backward === null ? d + e + 8 : 4 * d + 4 * e + 20;
  const exponentials = p.softcap === 0 ? 1 : 2;
  const pairs = work.rows * p.seq_kv;
  return (
    operation(digits) * (pairs * (products + (exponentials * digits) / 4) + 3 * featureProducts(p))
  );
}

/** The level within the budget: group by group, as long as it lasts. */
export function withinBudget(level: Level, digits: number): Level {
  return {
    name: level.name,
    enclose: (attentionCase, open, shapes, format, means) => {
      const { parameters } = attentionCase;
      const layout = { parameters, visible: visibility(attentionCase) };
      const granted: OpenElements = new Map();
      for (const group of grouped(parameters, open, shapes)) {
        const cost = decimalCost(parameters, workFor(layout, group, shapes), digits);
        if (!afford(means?.budget, cost, group)) continue;
        for (const [output, flats] of group) {
          granted.set(output, [...(granted.get(output) ?? []), ...flats]);
        }
      }
      if (openCount(granted) === 0) return () => UNKNOWN;
      const at = level.enclose(attentionCase, granted, shapes, format, means);
      const tried = new Map([...granted].map(([output, flats]) => [output, new Set(flats)]));
      return (output, flat) => (tried.get(output)?.has(flat) ? at(output, flat) : UNKNOWN);
    },
  };
}
