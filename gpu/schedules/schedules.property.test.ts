import fc from 'fast-check';
import type { Fraction } from 'mathjs';
import { describe, expect, it } from 'vitest';
import { caseArbitrary } from '../../properties/arbitraries/attention-case.ts';
import { interleavingArbitrary } from '../../properties/arbitraries/interleaving.ts';
import { rationalCaseArbitrary } from '../../properties/arbitraries/rational-case.ts';
import { matchers } from '../../properties/matchers.ts';
import { rationalOutputs } from '../../properties/rational-outputs.ts';
import {
  type AttentionCase,
  type OutputName,
  type Outputs,
  wantsGradients,
} from '../../reference/case/case.ts';
import { validateCase } from '../../reference/case/validate.ts';
import { attention } from '../../reference/definition/attention.ts';
import { lift } from '../../reference/definition/lift.ts';
import { rational } from '../../reference/numbers/rational.ts';
import { type Tensor, toFlat } from '../../reference/numbers/tensor.ts';
import { distribute, gatherAs } from '../distribute.ts';
import { emptyPairs } from '../pairs.ts';
import { passesOf, run, runOnOneThread } from '../run.ts';
import type { Direction, Schedule } from '../schedule.ts';
import { Rounded, rationalDevice } from '../testing/rational-device.ts';
import { SCHEDULE_NAMES, type ScheduleName, SENDS_QUERIES } from './index.ts';
import { lvXattnSchedule } from './lv-xattn.ts';
import { ringAttentionSchedule } from './ring-attention.ts';
import { uspSchedule } from './ulysses.ts';

expect.extend(matchers);

/** Does the schedule run with this many heads on this many ranks? */
function dealsOut(schedule: ScheduleName, { parameters: p }: AttentionCase): boolean {
  const deals = schedule === 'ulysses' || schedule === 'head-parallel';
  return !deals || p.heads % p.partition.ranks === 0;
}

/** 2^LSE of every row, exactly; 0 where a row sees nothing. */
function weightsOf(c: AttentionCase): Fraction[] {
  const { rows } = attention(lift(rational, c));
  return toFlat(rows).map((state) =>
    state === null ? rational.zero : rational.mul(rational.exp(state.m), state.l),
  );
}

async function distributed(c: AttentionCase, passes: readonly Schedule[], seed: number) {
  const shards = distribute(c, 'f64');
  const { results } = await runOnOneThread(shards, passes, rationalDevice(), { seed });
  const valuesOf = (values: unknown): readonly Fraction[] =>
    values instanceof Rounded ? values.exact : [];
  const { zero, add } = rational;
  return gatherAs<Fraction>({ zero, add, valuesOf }, c, results);
}

const shown = (tensor: Tensor<Fraction> | undefined): string[] =>
  tensor === undefined ? [] : toFlat(tensor).map((x) => x.toFraction());

const cases = (maxRanks: number) =>
  rationalCaseArbitrary({ maxRanks }).map((c) => {
    // 1/(1 − rate) is held in binary: let it be a number there.
    if (c.inputs.dropout_keep === undefined) return c;
    return validateCase({ ...c.parameters, dropout_rate: 0.5 }, c.inputs, c.judging);
  });

/** Holds what passes give to attention, exactly; the outputs that were compared. */
async function held(
  c: AttentionCase,
  passes: readonly Schedule[],
  seed: number,
): Promise<OutputName[]> {
  const expected: Outputs<Fraction> = rationalOutputs(c);
  const got = await distributed(c, passes, seed);
  const names = Object.keys(got) as OutputName[];
  for (const name of names) {
    if (name !== 'lse') expect(shown(got[name]), name).toEqual(shown(expected[name]));
  }
  if (got.lse !== undefined) {
    expect(shown(got.lse)).toEqual(weightsOf(c).map((x) => x.toFraction()));
  }
  return names;
}

/** Schedules with their options, and how often each option must have mattered. */
const VARIANTS: readonly [string, (c: AttentionCase, direction: Direction) => Schedule][] = [
  ...SENDS_QUERIES.map((name): [string, (c: AttentionCase, direction: Direction) => Schedule] => [
    `${name} with O on the way`,
    (c, direction) => {
      const passes = passesOf(c, name, { sends: 'O' });
      return passes.find((pass) => pass.direction === direction) ?? passes[0]!;
    },
  ]),
  [
    'lv-xattn without overlap',
    (c, direction) =>
      lvXattnSchedule(c.parameters.partition, direction, { ...optionsOf(c), overlap: false }),
  ],
  [
    'lv-xattn without pairs that a mask empties',
    (c, direction) =>
      lvXattnSchedule(c.parameters.partition, direction, {
        ...optionsOf(c),
        isSkipped: emptyPairs(c),
      }),
  ],
  [
    'ring-attention with a copy of keys for every query head',
    (c, direction) =>
      ringAttentionSchedule(c.parameters.partition, direction, { ...optionsOf(c), expanded: true }),
  ],
  ...[1, 2].map((group): [string, (c: AttentionCase, direction: Direction) => Schedule] => [
    `usp in groups of ${group}`,
    (c, direction) =>
      uspSchedule(c.parameters.partition, direction, {
        ...optionsOf(c),
        group: groupFor(group, c),
      }),
  ]),
];

const optionsOf = ({ parameters: p }: AttentionCase) => ({
  recompute: p.dim_y !== undefined,
  heads: p.heads,
});

/** The group, where it divides ranks and heads; else groups of one. */
const groupFor = (group: number, { parameters: p }: AttentionCase): number =>
  p.partition.ranks % group === 0 && p.heads % group === 0 ? group : 1;

describe.each(VARIANTS)('%s', (name, make) => {
  it('is attention, exactly, over any layout and interleaving', async () => {
    let other = 0;
    await fc.assert(
      fc.asyncProperty(cases(6), interleavingArbitrary(), async (c, seed) => {
        const directions = wantsGradients(c.parameters)
          ? (['forward', 'backward'] as const)
          : (['forward'] as const);
        const passes = directions.map((direction) => make(c, direction));
        // Not the plain schedule: LV-XAttn for groups of ranks, which are the whole of "usp".
        const plain = name.startsWith('usp') ? 'lv-xattn' : (passes[0]!.name as ScheduleName);
        const lists = (all: readonly Schedule[]) => JSON.stringify(all.map(({ ranks }) => ranks));
        if (lists(passesOf(c, plain)) !== lists(passes)) other++;
        await held(c, passes, seed);
      }),
      { seed: 12, numRuns: 60 },
    );
    expect(other, name).toBeGreaterThan(4);
  });
});

describe.each(SCHEDULE_NAMES)('%s', (schedule) => {
  it('is attention, exactly, over any layout and interleaving', async () => {
    const features = new Set<string>();
    const given = cases(6).filter((c) => dealsOut(schedule, c));
    await fc.assert(
      fc.asyncProperty(given, interleavingArbitrary(), async (c, seed) => {
        for (const name of await held(c, passesOf(c, schedule), seed)) features.add(name);
      }),
      { seed: 11, numRuns: 60 },
    );
    expect([...features].sort()).toEqual(
      ['d_bias', 'd_k', 'd_q', 'd_sink', 'd_v', 'd_w_k', 'd_w_v', 'd_y', 'lse', 'out'].sort(),
    );
  });

  it('gives the same bits under every interleaving', async () => {
    const given = caseArbitrary({
      regimes: ['normal', 'peaked', 'cancelling'],
      shape: { batch: 2, kvHeads: 2, group: 2, seqQ: 4, seqKv: 6, headDim: 3, dimY: 2 },
    }).filter((c) => dealsOut(schedule, c));
    await fc.assert(
      fc.asyncProperty(
        given,
        fc.array(interleavingArbitrary(), { minLength: 2, maxLength: 2 }),
        async (c, seeds) => {
          const [a, b] = await Promise.all(
            seeds.map((seed) =>
              run(c, { schedule, transport: 'simulated', device: 'reference', seed }),
            ),
          );
          expect(a!.outputs).toEqualExactly(b!.outputs);
        },
      ),
      { seed: 8, numRuns: 30 },
    );
  });
});
