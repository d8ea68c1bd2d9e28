import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { LAWS } from '../properties/laws/index.ts';
import { PROFILES } from '../reference/bounds/lemmas/profile.ts';
import type { AttentionCase } from '../reference/case/case.ts';
import { referenceOutputs } from '../reference/definition/reference.ts';
import { readCase } from '../reference/files/case-folder.ts';
import { mapTensor } from '../reference/numbers/tensor.ts';
import { type Finding, hunt } from './fuzz/hunt.ts';
import type { Interviewer, Reply } from './fuzz/interviewer.ts';
import { huntLaw } from './fuzz/law-hunt.ts';
import { keepNewCase } from './keep.ts';
import { NOT_REACHED } from './run-suite.ts';
import { smallCase } from './testing/cases.ts';

const out = mkdtempSync(join(tmpdir(), 'xattn-findings-'));
afterAll(() => rmSync(out, { recursive: true, force: true }));

const verdict = (name: 'impossible' | 'skip', reason: string) => ({
  verdict: name,
  reason,
  outputs: {},
});
const FAILS: Reply = {
  ...{ asked: true, kind: 'impossible out', bits: 'x' },
  verdict: verdict('impossible', 'out[0]: wrong'),
};
const NEVER: Reply = {
  ...{ asked: false, kind: null, bits: '' },
  verdict: verdict('skip', NOT_REACHED),
};

/** Fails whatever it is asked; the run is interrupted at its question number `at`. */
function interrupted(at: number): { asker: Interviewer; stop: AbortSignal; asked: () => number } {
  const stop = new AbortController();
  let count = 0;
  const ask = async (): Promise<Reply> => {
    if (++count === at) stop.abort('SIGINT');
    return stop.signal.aborted ? NEVER : FAILS;
  };
  const fit = (question: AttentionCase) => question;
  const deal = fit;
  const askAfresh = async (): Promise<Reply | null> => {
    const reply = await ask();
    return stop.signal.aborted ? null : reply;
  };
  const asked = { all: () => [], isWhole: () => true };
  const others = { askAfresh, asked, askImpatiently: ask, fit, deal, answer: ask };
  const asker = { ...others, ask, profile: PROFILES.f32 };
  return { asker, stop: stop.signal, asked: () => count };
}

describe('a hunt that is interrupted', () => {
  it.each([2, 3, 4, 7])('at question %i: what failed is a finding, and it ends', async (at) => {
    const { asker, stop, asked } = interrupted(at);
    const found: Finding[] = [];
    const supports = new Set(['forward', 'f32']);
    const options = { runs: null, maxSeconds: null, seed: 1, shard: undefined, supports, stop };
    const counts = await hunt(asker, options, [], {
      onFinding: async (finding) => void found.push(finding),
      onInteresting: () => {},
      onAsked: () => {},
    });
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ kind: 'impossible out', flaky: false, reply: FAILS });
    expect(counts.gone).toBe(false);
    expect(asked()).toBeLessThanOrEqual(at + 1);
  });

  it('at the first question: nothing was found out', async () => {
    const { asker, stop } = interrupted(1);
    const supports = new Set(['forward', 'f32']);
    const options = { runs: null, maxSeconds: null, seed: 1, shard: undefined, supports, stop };
    const counts = await hunt(asker, options, [], {
      onFinding: async () => expect.unreachable(),
      onInteresting: () => {},
      onAsked: () => {},
    });
    expect(counts).toMatchObject({ judged: 0, gone: false });
  });
});

describe('a law that is broken when the run is interrupted', () => {
  it('is shown by the answer that broke it, judged, and no more is asked', async () => {
    const stop = new AbortController();
    const given: AttentionCase[] = [];
    const never = async (): Promise<Reply> => NEVER;
    // Out is wrong in every second answer, so every law on outputs is broken.
    const answer: Interviewer['answer'] = async (question) => {
      if (given.push(question) === 6) stop.abort('SIGTERM');
      if (stop.signal.aborted) return NEVER;
      const outputs = referenceOutputs(question);
      const wrong = given.length % 2 === 0 ? mapTensor(outputs.out!, () => 1e9) : outputs.out!;
      return {
        outputs: Object.fromEntries(
          Object.entries({ ...outputs, out: wrong }).map(([name, tensor]) => [
            name,
            { dtype: 'F64' as const, tensor },
          ]),
        ),
      };
    };
    const asked = { all: () => [], isWhole: () => true };
    const asker: Interviewer = {
      ...{ ask: never, askAfresh: never, askImpatiently: never, asked, answer },
      ...{ deal: (question: AttentionCase) => question, profile: PROFILES.f32 },
      fit: (question) => question,
    };
    const turn = LAWS.findIndex(({ name }) => name.startsWith('bias + β'));
    const broken = await huntLaw(
      asker,
      { dtypes: ['f32'] },
      { seed: 1, turn, endMs: Number.POSITIVE_INFINITY, stop: stop.signal },
      { laws: 0, equations: 0, gone: false },
    );
    expect(given).toHaveLength(6);
    expect(broken?.refused).toMatchObject({
      reply: { asked: true, verdict: { verdict: 'impossible' } },
      before: [],
    });
    expect(given).toContain(broken?.refused?.question);
    expect(broken?.shrinks).toBeGreaterThan(0);
  });
});

describe('findings of one name', () => {
  it('are kept beside each other', () => {
    const question = smallCase('fuzz/impossible-out-01234567');
    const folders = [1, 2, 3].map(() => keepNewCase(question, null, out));
    expect(new Set(folders).size).toBe(3);
    expect(readdirSync(join(out, 'fuzz'))).toHaveLength(3);
    for (const folder of folders) {
      expect(join(out, readCase(folder).parameters.id)).toBe(folder);
      expect(folder).toMatch(/fuzz\/impossible-out-[0-9a-f]{8}$/);
    }
  });
});
