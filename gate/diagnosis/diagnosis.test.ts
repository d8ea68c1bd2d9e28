/**
 * The diagnosis on an implementation that shares no code with the zoo's: a few of its flaws, on a short
 * suite. diagnosis.long.ts has all of them on `core`.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import type { Fault } from '../../properties/zoo/fault.ts';
import { loadZoo } from '../../properties/zoo/zoo.ts';
import type { Expectation } from '../../reference/verdict/expectation.ts';
import { SHARED, UNKNOWN } from './testing/flaws.ts';
import { outside } from './testing/outside.ts';
import { trial, trialCases } from './testing/trial.ts';

let [cases, zoo]: [Expectation[], Fault[]] = [[], []];

beforeAll(async () => {
  // Cheap cases do: what is tested is what is said, and not how long it takes.
  const cheap = ({ parameters: { heads, seq_q, seq_kv } }: Expectation['attentionCase']): boolean =>
    heads * seq_q * seq_kv < 600;
  cases = trialCases('smoke', 1).filter(({ attentionCase }) => cheap(attentionCase));
  zoo = await loadZoo();
});

const said = (flaw: (typeof SHARED)[string]) => trial((c) => outside(c, flaw), cases, zoo);

describe('a diagnosis', () => {
  it('is not made where nothing is wrong', async () => {
    expect(await trial((c) => outside(c), cases, zoo)).toBe(null);
  });

  it('names a fault of the zoo in another implementation, and how many cases it was held against', async () => {
    for (const name of ['group-averaged', 'dk-own-rows-only']) {
      const found = await said(SHARED[name]!);
      expect(found?.headline).toContain(`Behaves like \`${name}\` in all ${found?.wrong} failing`);
      const [fit] = found?.behaviour?.fits ?? [];
      expect(fit?.failing).toEqual({ cases: found?.wrong, of: found?.wrong });
      expect(fit?.passing.cases).toBeGreaterThan(0);
    }
  });

  it('says of one case alone what is wrong inside its outputs, and names no fault', async () => {
    const answer: Parameters<typeof trial>[0] = (c) => outside(c, SHARED['group-averaged']);
    const each = await Promise.all(cases.map((one) => trial(answer, [one], zoo)));
    const found = each.find((one) => one !== null);
    expect(found).toMatchObject({ wrong: 1, passing: 0, behaviour: null, traits: null });
    expect(found?.headline).toMatch(/^Only d_k is wrong; d_k: .+ times what it should be/);
  });

  it('names no fault that the zoo has not, and says what fails, each time the same', async () => {
    for (const name of [
      'dV is doubled where heads are grouped',
      'heads are reversed in the output',
    ]) {
      const { flaw, says } = UNKNOWN[name]!;
      const found = await said(flaw);
      expect([name, found?.behaviour?.kind, found?.behaviour?.fits]).toEqual([name, 'none', []]);
      expect(found?.headline).toMatch(says);
    }
  });

  it('says the same of the same run', async () => {
    const { flaw } = UNKNOWN['the LSE is a tenth too large']!;
    expect(await said(flaw)).toEqual(await said(flaw));
  });
});
