/**
 * Values, radii, bounds and verdicts of thousands of drawn cases stay what they were, bit for bit.
 *
 * Each run recomputes a share drawn from a seed, `XATTN_PINNED=7` another, `XATTN_PINNED=all` all of
 * them. What is to change is written anew by `XATTN_PINNED=write`, in a commit that says why.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { drawPositions } from '../../reference/case/sampling.ts';
import { PINNED_CASES, pinnedCase } from './draw.ts';
import { PART_NAMES, partsOf } from './parts.ts';

const FILE = join(import.meta.dirname, 'digests.txt');
const SHARE = 50;
const asked = process.env.XATTN_PINNED ?? '0';
const every = Array.from({ length: PINNED_CASES }, (_, n) => n);

const line = (n: number): string => partsOf(pinnedCase(n)).join(' ');

if (asked === 'write') {
  const lines = every.map(line);
  writeFileSync(FILE, `${PART_NAMES.join(' ')}\n${lines.join('\n')}\n`);
}

describe('pinned cases', () => {
  const [names = '', ...lines] = readFileSync(FILE, 'utf8').trimEnd().split('\n');

  it('are as many as are drawn, and have the parts that are computed', () => {
    expect(names.split(' ')).toEqual(PART_NAMES);
    expect(lines).toHaveLength(PINNED_CASES);
  });

  const all = asked === 'all' || asked === 'write';
  const chosen = all ? every : drawPositions(Number(asked), SHARE, PINNED_CASES);
  it(`have the bits that they had: ${all ? 'all' : `${SHARE} from seed ${asked}`}`, () => {
    const drifted = chosen.flatMap((n) => {
      const [was, now] = [(lines[n] ?? '').split(' '), line(n).split(' ')];
      const parts = PART_NAMES.filter((_, part) => was[part] !== now[part]);
      return parts.length === 0 ? [] : [`case ${n}: ${parts.join(' ')}`];
    });
    expect(drifted).toEqual([]);
  }, 1_800_000);
});
