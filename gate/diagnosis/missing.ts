/**
 * Missing summands: a gradient without the share of one rank's rows or keys, or of one head of a group;
 * or that share alone, or twice.
 * @module
 */
import { HONEST } from '../../properties/zoo/host/honest.ts';
import { PRECISIONS } from '../../properties/zoo/host/precision.ts';
import type { Seams } from '../../properties/zoo/host/seams.ts';
import { hostOf } from '../../properties/zoo/host.ts';
import { nth } from '../../reference/numbers/nth.ts';
import { toFlat } from '../../reference/numbers/tensor.ts';
import { allowedAt, near } from './agreement.ts';
import type { Looked } from './values.ts';

/** Cases beyond this much work are not looked into, nor more ranks and heads than this. */
const WORK_MAX = 60_000;
const PARTS_MAX = 8;

interface Part {
  readonly sentence: string;
  readonly general: string;
  readonly seams: Partial<Seams>;
}

const NONE = { start: 0, stop: 0 };

/** What sums over rows, keys and heads are made of. */
function partsOf({ answer, output }: Looked): Part[] {
  const { partition, heads, kv_heads } = answer.question.parameters;
  const ranks = Array.from({ length: Math.min(partition.ranks, PARTS_MAX) }, (_, n) => n);
  const byKeys = ranks.map((rank) => ({
    sentence: `keys of rank ${rank}`,
    general: "one rank's keys",
    seams: {
      keyRange: (x, source, pass, home) =>
        pass === 'backward' && source !== rank ? NONE : HONEST.keyRange(x, source, pass, home),
    } satisfies Partial<Seams>,
  }));
  const byRows = ranks.map((rank) => ({
    sentence: `rows of rank ${rank}`,
    general: "one rank's rows",
    seams: {
      rowRange: (x, home, pass) =>
        pass === 'backward' && home !== rank ? NONE : HONEST.rowRange(x, home, pass),
    } satisfies Partial<Seams>,
  }));
  const group = heads / kv_heads;
  const members = Array.from({ length: Math.min(group, PARTS_MAX) }, (_, n) => n);
  const byHeads = members.map((member) => ({
    sentence: `head ${member} of each group`,
    general: 'one head of each group',
    seams: {
      gradientHead: (x, h, name) => (h % group === member ? HONEST.gradientHead(x, h, name) : null),
    } satisfies Partial<Seams>,
  }));
  const several = (parts: Part[]): Part[] => (parts.length > 1 ? parts : []);
  if (output.name === 'd_q') return several(byKeys);
  if (output.name === 'd_k' || output.name === 'd_v')
    return [...several(byRows), ...several(byHeads)];
  return [];
}

/** What a gradient lacks, or consists of alone. */
export function missing(looked: Looked): string[] {
  const { answer, output, off } = looked;
  if (answer.work > WORK_MAX) return [];
  return partsOf(looked).flatMap(({ sentence, general, seams }) => {
    const tensor = hostOf(PRECISIONS.f64, seams)(answer.question)[output.name];
    if (tensor === undefined) return [];
    const share = toFlat(tensor);
    const is = (value: (n: number) => number): boolean =>
      off.every((n) => near(nth(output.got, n), value(n), 2 * allowedAt(output, n)));
    const part = (n: number): number => share[n] ?? 0;
    if (is((n) => nth(output.expected, n) - part(n))) {
      return [`without the share of ${sentence}`, `without the share of ${general}`];
    }
    if (is(part)) return [`the share of ${sentence} alone`, `the share of ${general} alone`];
    if (is((n) => nth(output.expected, n) + part(n))) {
      return [`with the share of ${sentence} twice`, `with the share of ${general} twice`];
    }
    return [];
  });
}
