/** A candidate that remembers calls is told by what passes alone, and by the faults that remember too. */
import { beforeAll, describe, expect, it } from 'vitest';
import { type Fault, faultyHost } from '../../properties/zoo/fault.ts';
import { loadZoo } from '../../properties/zoo/zoo.ts';
import { PROFILES } from '../../reference/bounds/lemmas/profile.ts';
import type { AttentionCase, Outputs } from '../../reference/case/case.ts';
import { tensorOf, toFlat } from '../../reference/numbers/tensor.ts';
import { type Expectation, expectation } from '../../reference/verdict/expectation.ts';
import { isFailure, judgeAgainst } from '../../reference/verdict/judge.ts';
import { failsAfter } from '../after-others.ts';
import { smallCase, smallSuite } from '../testing/cases.ts';
import { diagnose } from './diagnose.ts';
import { observer } from './kept-answers.ts';
import type { Recalls } from './memory.ts';

/** Three questions of the same shapes, the last two with other masks. */
function masked(id: string, keep: (place: number) => boolean): AttentionCase {
  const one = smallCase(id);
  const mask = Uint8Array.from({ length: 15 }, (_, n) => Number(keep(n)));
  return { ...one, inputs: { ...one.inputs, mask: tensorOf<number>(mask, [1, 1, 3, 5]) } };
}

const cases = [
  smallCase('t/0'),
  masked('t/1', (n) => n % 3 > 0),
  masked('t/2', (n) => n % 2 === 0),
].map((question) => expectation(question, 'f32'));
let zoo: Fault[] = [];

beforeAll(async () => {
  zoo = await loadZoo();
});

type Answers = (expected: Expectation) => Outputs;

const givenBy = (outputs: Outputs) =>
  Object.fromEntries(
    Object.entries(outputs).map(([name, tensor]) => [name, { dtype: 'F32', tensor }]),
  );

/** A run, and the failing cases asked again of fresh ones, as the gate does. */
async function run(fresh: () => Answers, asksAgain = true) {
  const seen = observer();
  const answers = fresh();
  const failing: number[] = [];
  for (const [n, expected] of cases.entries()) {
    const { attentionCase: question } = expected;
    const outputs = givenBy(answers(expected));
    const verdict = judgeAgainst(expected, outputs);
    if (isFailure(verdict.verdict)) failing.push(n);
    const { id } = question.parameters;
    seen.observe({ id, question, verdict, compared: { outputs, expected } });
  }
  const recalls: [string, { alone: 'passes' | 'fails'; after?: string[] }][] = [];
  const idOf = (one: Expectation): string => one.attentionCase.parameters.id;
  for (const n of asksAgain ? failing : []) {
    const victim = cases[n]!;
    const found = await failsAfter(victim, cases.slice(0, n), (sequence) => {
      const again = fresh();
      const last = sequence.map((one) => givenBy(again(one))).at(-1)!;
      return Promise.resolve(isFailure(judgeAgainst(sequence.at(-1)!, last).verdict));
    });
    if (found.kind === 'after') {
      recalls.push([idOf(victim), { alone: 'passes', after: found.before.map(idOf) }]);
    } else recalls.push([idOf(victim), { alone: found.kind === 'alone' ? 'fails' : 'passes' }]);
  }
  return diagnose({
    ...{ observed: seen.observed(), profile: PROFILES.f32, zoo: () => Promise.resolve(zoo) },
    ...{ recalls: new Map(recalls) as Recalls, milliseconds: Number.POSITIVE_INFINITY },
  });
}

const remembering = (name: string) => (): Answers => {
  const host = faultyHost(zoo.find((fault) => fault.name === name)!);
  return ({ attentionCase }) => host(attentionCase);
};

describe('a candidate that remembers', () => {
  it('is said to, with what a case fails after, and no trait is told of its cases', async () => {
    const found = await run(remembering('stale-mask'));
    expect(found?.memory?.alone).toEqual({ cases: found?.wrong, of: found?.wrong });
    expect(found?.memory?.after[0]?.before).toHaveLength(1);
    expect(found?.headline).toMatch(
      /^The candidate remembers: (\d+) of \1 failing cases pass when .+ fails after .+, after one of the same shapes; behaves like `stale-mask`/,
    );
    expect(found?.traits).toBe(null);
  });

  it('is told of none that fails alone too', async () => {
    const found = await run(remembering('dv-sign'));
    expect(found?.memory).toBe(null);
    expect(found?.headline).toMatch(/^Behaves like `dv-sign`/);
  });

  it('is not guessed at where nobody asked again', async () => {
    const found = await run(remembering('stale-mask'), false);
    expect(found?.memory).toBe(null);
    expect(found?.behaviour?.fits).toEqual([]);
  });
});

describe('faults of the zoo', () => {
  it('say so where their answers depend on earlier calls, and only there', () => {
    const [first, second] = smallSuite(['t/0', 't/1']).map((one) => one.build());
    const text = (outputs: Outputs) =>
      Object.values(outputs).map((tensor) => [...toFlat(tensor)].map(String).join());
    const depends = zoo.filter((fault) => {
      const host = faultyHost(fault);
      try {
        host(first!);
      } catch {
        // What cannot answer a case keeps nothing of it.
        return false;
      }
      return text(host(second!)).join(' ') !== text(faultyHost(fault)(second!)).join(' ');
    });
    const unmarked = depends.filter(({ remembers }) => !remembers).map(({ name }) => name);
    expect(unmarked).toEqual([]);
    expect(depends.map(({ name }) => name)).toContain('stale-dk-buffer');
  });
});
