/** Cases dealt over the ranks of a candidate, asked and answered rank by rank. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { shapeArbitrary } from '../properties/arbitraries/shape.ts';
import { PROFILES } from '../reference/bounds/lemmas/profile.ts';
import type {
  AttentionCase,
  CaseParameters,
  InputName,
  OutputName,
  Outputs,
} from '../reference/case/case.ts';
import { inputShardedAlong, shardedAlong } from '../reference/case/case-shapes.ts';
import { drawCase } from '../reference/case/draw-case.ts';
import { featureWords } from '../reference/case/features.ts';
import { validateCase } from '../reference/case/validate.ts';
import { referenceOutputs } from '../reference/definition/reference.ts';
import { readCase, writeOutputs } from '../reference/files/case-folder.ts';
import { readSafetensors } from '../reference/files/safetensors.ts';
import {
  block,
  forEachIndex,
  mapTensor,
  type Tensor,
  toFlat,
  zeros,
} from '../reference/numbers/tensor.ts';
import type { Candidate, Hello } from './candidate.ts';
import { dealtOver, evenOver, posed, type World, worldOf } from './dealing.ts';
import { type CaseResult, runSuite } from './run-suite.ts';
import { type SuiteCase, suite } from './suite.ts';

const out = mkdtempSync(path.join(tmpdir(), 'xattn-dealing-'));
afterAll(() => rmSync(out, { recursive: true, force: true }));

const world = (ranks: readonly number[], uneven: boolean, more: Partial<World> = {}): World => ({
  ...{ ranks, uneven, seed: 5, spreads: true, ...more },
});
const sum = (sizes: readonly number[]): number => sizes.reduce((a, b) => a + b, 0);
const isEven = (sizes: readonly number[]): boolean => new Set(sizes).size === 1;

/** Every case of smoke as it is put on these ranks. */
function smokeOver(over: World): AttentionCase[] {
  const even = over.uneven ? undefined : over.ranks;
  return suite('smoke', 'f32', { seed: over.seed, evenOver: even }).flatMap(
    ({ build }) => posed(build(), { direction: 'both', world: over })?.question ?? [],
  );
}

describe('dealing', () => {
  it.each([
    [[4], true],
    [[4], false],
    [[1, 3, 8], true],
    [[2, 6], false],
  ] as const)('over %j, uneven: %s, gives every case a partition of its own', (ranks, uneven) => {
    for (const { parameters, inputs } of smokeOver(world(ranks, uneven))) {
      const { partition, seq_q, seq_kv } = parameters;
      expect(ranks).toContain(partition.ranks);
      expect([sum(partition.q), sum(partition.kv)]).toEqual([seq_q, seq_kv]);
      expect(() => validateCase(parameters, inputs)).not.toThrow();
      if (uneven) continue;
      const even = isEven(partition.q) && isEven(partition.kv);
      expect(even || seq_q % partition.ranks > 0 || seq_kv % partition.ranks > 0).toBe(true);
    }
  });

  it('has uneven and empty blocks of queries and of keys, and even ones', () => {
    const partitions = smokeOver(world([4], true)).map(({ parameters }) => parameters.partition);
    const share = (holds: (sizes: readonly number[]) => boolean): number =>
      partitions.filter(({ q, kv }) => holds(q) && holds(kv)).length / partitions.length;
    expect(share((sizes) => sizes.includes(0))).toBeGreaterThan(0.1);
    expect(share((sizes) => Math.max(...sizes) > 1 + Math.min(...sizes))).toBeGreaterThan(0.3);
    expect(share((sizes) => Math.max(...sizes) <= 1 + Math.min(...sizes))).toBeGreaterThan(0.1);
  });

  it('finds even blocks for most cases where a candidate needs them', () => {
    const needing = smokeOver(world([4], false)).filter((one) =>
      featureWords(one).includes('uneven'),
    );
    const all = suite('smoke', 'f32', { seed: 5 }).length;
    expect(needing.length / all).toBeLessThan(0.35);
    const plain = suite('smoke', 'f32', { seed: 5 }).map(({ build }) => build());
    const byChance = plain.filter(
      ({ parameters: p }) => p.seq_q % 4 === 0 && p.seq_kv % 4 === 0,
    ).length;
    expect(all - needing.length).toBeGreaterThan(2 * byChance);
  });

  it('asks for even sizes over few ranks alone, of whoever needs them', () => {
    const [plain, able] = [new Set(['f32']), new Set(['f32', 'uneven'])];
    expect(evenOver({ ranks: [4096, 2, 64], supports: plain })).toEqual([2, 64]);
    expect(evenOver({ ranks: [4096], supports: plain })).toBeUndefined();
    expect(evenOver({ ranks: [2], supports: able })).toBeUndefined();
    expect(evenOver({ supports: plain })).toBeUndefined();
  });

  it('draws even sizes for a hunt, too', () => {
    const [shape] = fc.sample(shapeArbitrary({ evenOver: [4] }), { numRuns: 1, seed: 3 });
    const drawn = fc.sample(shapeArbitrary({ evenOver: [3, 4] }), { numRuns: 200, seed: 3 });
    expect((shape?.seq_q ?? 1) % 4).toBe(0);
    for (const { seq_q, seq_kv } of drawn) {
      expect([3, 4].some((ranks) => seq_q % ranks === 0 && seq_kv % ranks === 0)).toBe(true);
    }
    expect(new Set(drawn.map(({ seq_kv }) => seq_kv)).size).toBeGreaterThan(4);
  });

  it('is the same for the same case and seed, and another for another seed', () => {
    const at = (seed: number) =>
      smokeOver(world([4], true, { seed })).map(({ parameters }) => parameters.partition);
    expect(at(5)).toEqual(at(5));
    const [one, other] = [5, 6].map((seed) =>
      suite('smoke', 'f32', { seed: 5 }).map(
        ({ build }) => dealtOver(build(), world([4], true, { seed })).parameters.partition,
      ),
    );
    expect(one).not.toEqual(other);
  });

  it('spreads cases of one rank over several, where that is asked for', () => {
    const single = suite('smoke', 'f32', { seed: 5 })
      .map(({ build }) => build())
      .filter(({ parameters }) => parameters.partition.ranks === 1);
    const ran = (spreads: boolean): number =>
      single.filter((one) => {
        const dealt = dealtOver(one, world([1, 4], true, { spreads }));
        return dealt.parameters.partition.ranks === 4;
      }).length;
    expect(ran(false)).toBe(0);
    expect(ran(true)).toBeGreaterThan(single.length / 4);
    expect(ran(true)).toBeLessThan(single.length);
  });

  it('leaves a case that can be run as it was dealt, so that it can be asked again', () => {
    const again = world([1, 4], true, { spreads: false, seed: 77 });
    for (const question of smokeOver(world([1, 4], true))) {
      expect(dealtOver(question, again)).toBe(question);
    }
    const three = drawCase(1, { partition: { ranks: 3, q: [1, 0, 3], kv: [2, 4, 3] } });
    expect(dealtOver(three, world([3], true))).toBe(three);
    expect(isEven(dealtOver(three, world([3], false)).parameters.partition.kv)).toBe(true);
    expect(dealtOver(three, null)).toBe(three);
  });

  it('keeps the ends of blocks, where what a case shows may lie', () => {
    const three = drawCase(1, { seq_kv: 9, partition: { ranks: 3, q: [1, 0, 3], kv: [2, 4, 3] } });
    const ends = (seed: number): number[] => {
      let end = 0;
      const dealt = dealtOver(three, world([5], true, { seed })).parameters.partition;
      return dealt.kv.map((size) => (end += size));
    };
    const kept = [1, 2, 3, 4, 5, 6, 7, 8].filter((seed) =>
      [2, 6, 9].every((end) => ends(seed).includes(end)),
    );
    expect(kept.length).toBeGreaterThanOrEqual(4);
  });
});

/** A part of one output that a rank gives, changed; null = it leaves it out. */
type Change = (part: {
  rank: number;
  name: OutputName;
  own: Tensor;
  of: (rank: number) => Tensor;
}) => Tensor;

function blockOf(question: AttentionCase, rank: number, name: OutputName, whole: Tensor): Tensor {
  const along = shardedAlong(name);
  if (along === null) return whole;
  const sizes = question.parameters.partition[along.by];
  return block(whole, along.axis, sum(sizes.slice(0, rank)), sizes[rank] ?? 0);
}

/** The case that the files of all ranks hold together, each nothing but its own. */
function gathered(folder: string): AttentionCase {
  const parameters: CaseParameters = JSON.parse(
    readFileSync(path.join(folder, 'case.json'), 'utf8'),
  );
  const { partition } = parameters;
  const inputs: AttentionCase['inputs'] = {};
  for (let rank = 0; rank < partition.ranks; rank++) {
    const file = readSafetensors(readFileSync(path.join(folder, `inputs.rank${rank}.safetensors`)));
    for (const [key, { tensor }] of file.tensors) {
      const name = key as InputName;
      const along = inputShardedAlong(name);
      if (along === null) {
        if (rank > 0) expect(toFlat(tensor)).toEqual(toFlat(inputs[name]!));
        inputs[name] = tensor;
        continue;
      }
      const sizes = partition[along.by];
      const shape = tensor.shape.map((n, axis) => (axis === along.axis ? sum(sizes) : n));
      inputs[name] ??= zeros(shape);
      const place = block(inputs[name], along.axis, sum(sizes.slice(0, rank)), sizes[rank] ?? 0);
      expect(tensor.shape).toEqual(place.shape);
      forEachIndex(place.shape, (index) => place.set(...index, tensor.get(...index)));
    }
  }
  return validateCase(parameters, inputs);
}

const HELLO: Hello = {
  ...{ name: 'ranks', profile: PROFILES.f32, ranks: [4] },
  supports: new Set('forward backward gqa dlse uneven recompute sink media bias f32'.split(' ')),
};

/** A candidate of ranks in this process that is right but for `change`, and what it has seen. */
function ranked(hello: Hello, change: Change = ({ own }) => own, files?: (folder: string) => void) {
  const seen: AttentionCase[] = [];
  const candidate: Candidate = {
    start: async () => ({ ok: true, hello }),
    async answer(folder) {
      const question = hello.sharded ? gathered(folder) : readCase(folder);
      seen.push(question);
      const { ranks } = question.parameters.partition;
      const whole = referenceOutputs(question);
      for (let rank = 0; rank < ranks; rank++) {
        const outputs: Outputs = {};
        for (const [key, tensor] of Object.entries(whole)) {
          const name = key as OutputName;
          const of = (one: number): Tensor => blockOf(question, one, name, tensor);
          outputs[name] = change({ rank, name, own: of(rank), of });
        }
        writeOutputs(folder, outputs, 'F64', `outputs.rank${rank}.safetensors`);
      }
      files?.(folder);
      return { status: 'ok' };
    },
    ...{ log: () => [], close: async () => {}, kill: () => {} },
  };
  return { candidate, seen };
}

const PARTITION = { ranks: 4, q: [2, 0, 2, 1], kv: [3, 3, 0, 4] };
const CASE: SuiteCase = {
  ...{ id: 't/ranks', shows: null },
  build: () =>
    drawCase(3, { id: 't/ranks', seq_q: 5, seq_kv: 10, partition: PARTITION, bias: [1, 1, 5, 10] }),
};

async function ask(
  { candidate }: Pick<ReturnType<typeof ranked>, 'candidate'>,
  cases: readonly SuiteCase[] = [CASE],
  spreads = false,
): Promise<CaseResult[]> {
  const started = await candidate.start();
  const options = { started, profile: 'f32', direction: 'both', outDir: out } as const;
  return runSuite(candidate, cases, { ...options, world: worldOf(started, { spreads, seed: 9 }) });
}
const verdictOf = async (asked: ReturnType<typeof ranked>) => (await ask(asked))[0]!.verdict;

describe('a candidate of ranks', () => {
  const cases = suite('smoke', 'f32', { seed: 5 }).filter(({ id }) =>
    /recompute-gradients|feature\/(sink|media|bias|uneven)-gradients|no-keys/.test(id),
  );

  it.each([true, false])(
    'is asked by rank or in one file, and passes; sharded: %s',
    async (sharded) => {
      const asked = ranked({ ...HELLO, ...(sharded ? { sharded } : {}) });
      const results = await ask(asked, cases, true);
      expect(results.map(({ verdict }) => verdict.verdict)).toEqual(cases.map(() => 'pass'));
      expect(results.length).toBeGreaterThan(4);
      for (const [n, { inputs, parameters }] of asked.seen.entries()) {
        const plain = cases[n]!.build();
        expect(parameters.partition.ranks).toBe(4);
        expect(Object.keys(inputs).sort()).toEqual(Object.keys(plain.inputs).sort());
        for (const [name, tensor] of Object.entries(plain.inputs)) {
          expect(toFlat(inputs[name as InputName]!)).toEqual(toFlat(tensor));
        }
        expect(results[n]!.dealt).toEqual({
          given: plain.parameters.partition.ranks,
          ran: 4,
          anew: true,
        });
      }
    },
  );

  it('is not asked what it cannot divide', async () => {
    const supports = new Set([...HELLO.supports].filter((word) => word !== 'uneven'));
    const [result] = await ask(ranked({ ...HELLO, supports }));
    expect(result!.verdict).toMatchObject({ verdict: 'skip', reason: 'needs uneven' });
  });

  it('keeps a failing case as it was dealt, whole', async () => {
    const asked = ranked({ ...HELLO, ranks: [3], sharded: true }, ({ own }) =>
      mapTensor(own, (x) => 2 * x),
    );
    const [result] = await ask(asked);
    const kept = readCase(result!.kept!);
    expect(kept.parameters.partition).toEqual(asked.seen[0]!.parameters.partition);
    expect(kept.parameters.partition.ranks).toBe(3);
    expect(toFlat(kept.inputs.k!)).toEqual(toFlat(CASE.build().inputs.k!));
  });
});

const twice =
  (of: OutputName, on: number): Change =>
  ({ rank, name, own }) =>
    name === of && rank === on ? mapTensor(own, (x) => 2 * x) : own;

describe('a verdict on ranks', () => {
  it.each<[what: string, change: Change, told: RegExp, wrong: object[]]>([
    [
      'a rank whose gradients are doubled',
      twice('d_q', 3),
      /^d_q\[.*; of 4 ranks only rank 3 is wrong: d_q at its query 4$/,
      [{ rank: 3, outputs: ['d_q'] }],
    ],
    [
      'blocks that are exchanged',
      ({ rank, name, own, of }) => (name === 'd_v' && rank < 2 ? of(1 - rank) : own),
      /; of 4 ranks 0 and 1 are wrong: rank 0 in d_v at all its keys 0 to 2, which are rank 1's; rank 1 in d_v at all its keys 3 to 5, which are rank 0's$/,
      [0, 1].map((rank) => ({ rank, outputs: ['d_v'] })),
    ],
    [
      'one row of a block',
      ({ rank, name, own }) => {
        if (rank !== 2 || !/^(out|lse)$/.test(name)) return own;
        const copy = mapTensor(own, (x) => x);
        copy.set(...copy.shape.map((_, axis) => (axis === 2 ? 1 : 0)), 7);
        return copy;
      },
      /; of 4 ranks only rank 2 is wrong: out and lse at query 3 of its queries 2 to 3$/,
      [{ rank: 2, outputs: ['out', 'lse'] }],
    ],
    [
      'every rank',
      ({ name, own }) => (name === 'd_k' ? mapTensor(own, (x) => -x) : own),
      /; of 4 ranks 0, 1 and 3 are wrong: rank 0 in d_k at .*; rank 1 in .*; …$/,
      [0, 1, 3].map((rank) => ({ rank, outputs: ['d_k'] })),
    ],
  ])('names %s', async (_, change, told, wrong) => {
    const verdict = await verdictOf(ranked(HELLO, change));
    expect(verdict.verdict).toBe('impossible');
    expect(verdict.reason).toMatch(told);
    expect(verdict.wrong_ranks).toEqual(wrong);
  });

  it('says of what no rank holds a block of, nothing of ranks', async () => {
    const verdict = await verdictOf(ranked(HELLO, twice('d_bias', 0)));
    expect(verdict).toMatchObject({ verdict: 'impossible' });
    expect(verdict.reason).not.toMatch(/rank/);
    expect(verdict.wrong_ranks).toBeUndefined();
  });

  it.each<[what: string, files: (folder: string) => void, told: RegExp]>([
    [
      'missing',
      (folder) => rmSync(path.join(folder, 'outputs.rank2.safetensors')),
      /^rank 2 of 4 left no outputs: "outputs.rank2.safetensors" expected a file/,
    ],
    [
      'missing, all but one',
      (folder) => [0, 1, 3].map((r) => rmSync(path.join(folder, `outputs.rank${r}.safetensors`))),
      /^ranks 0, 1 and 3 of 4 left no outputs/,
    ],
    [
      'too many',
      (folder) => writeFileSync(path.join(folder, 'outputs.rank4.safetensors'), ''),
      /expected files of ranks 0 to 3, each once, got "outputs.rank4.safetensors" too/,
    ],
    [
      'doubled',
      (folder) => writeFileSync(path.join(folder, 'outputs.rank01.safetensors'), ''),
      /expected files of ranks 0 to 3, each once, got "outputs.rank01.safetensors" too/,
    ],
    [
      'answered twice',
      (folder) => writeOutputs(folder, {}, 'F64'),
      /expected "outputs.safetensors" or files of ranks, got both it and "outputs.rank0.safetensors"/,
    ],
    [
      'damaged',
      (folder) => writeFileSync(path.join(folder, 'outputs.rank1.safetensors'), 'garbage'),
      /^"outputs.rank1.safetensors": .*at least 8 bytes/,
    ],
  ])('is broken where ranks are %s', async (_, files, told) => {
    const verdict = await verdictOf(ranked(HELLO, undefined, files));
    expect(verdict).toMatchObject({ verdict: 'broken', reason: expect.stringMatching(told) });
  });

  it('is broken where blocks overlap or have the wrong size', async () => {
    const whole: Change = ({ rank, name, own, of }) => (name === 'd_k' && rank === 2 ? of(3) : own);
    expect((await verdictOf(ranked(HELLO, whole))).reason).toBe(
      '"d_k" in outputs.rank2.safetensors expected shape [1, 1, 0, 8], rank 2\'s 0 of 10 keys, got [1, 1, 4, 8]',
    );
  });
});
