/**
 * The schedules, model-checked: every interleaving of every rank, sound links and unsound ones; and
 * wrong schedules, each refused with a counterexample that is kept beside this file.
 *
 * XATTN_UPDATE=1 writes counterexamples.json anew.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type ModelOptions, promelaModel } from '../../gpu/promela.ts';
import type { Direction } from '../../gpu/schedule.ts';
import { SCHEDULE_NAMES } from '../../gpu/schedules/index.ts';
import { describeWithTools } from '../tools.ts';
import { MUTATIONS, type Mutation, mutated } from './mutations.ts';
import { checkedOf, NAMES, passesOf, ranksOf, scopeOf, unevenLayout } from './schedules.ts';
import { simulate, verify } from './spin.ts';

const kept = join(import.meta.dirname, 'counterexamples.json');
const update = process.env.XATTN_UPDATE === '1';
const Kept = z.record(
  z.string(),
  z.strictObject({ story: z.string(), order: z.array(z.int().min(0)) }),
);

/** The names that lanes.pml gives to its checks. */
const lanes = readFileSync(join(import.meta.dirname, 'lanes.pml'), 'utf8');
const CHECKS = (/mtype = \{([^}]*)\}/.exec(lanes)?.[1] ?? '').split(',').map((s) => s.trim());

/** The model of a schedule's passes, with what the schedule may leave out. */
function modelOf(
  name: string,
  ranks: number,
  directions: readonly Direction[],
  options: ModelOptions,
): string {
  const { isSkipped } = checkedOf(name);
  const passes = passesOf(name, ranks, directions, options.recompute ?? false);
  return promelaModel(passes, { ...options, ...(isSkipped ? { isSkipped } : {}) });
}

const show = (directions: readonly Direction[], recompute = false) =>
  `${directions.join(' then ')}${recompute ? ', recomputing' : ''}`;

describe('the layout', () => {
  for (const name of NAMES) {
    it(`of ${name} changes no operation: an empty block travels like any other`, () => {
      for (const ranks of ranksOf(name)) {
        const even = { ranks, q: Array(ranks).fill(2), kv: Array(ranks).fill(2) };
        for (const direction of ['forward', 'backward'] as const) {
          for (const recompute of [false, true]) {
            const { make } = checkedOf(name);
            const options = { recompute, heads: ranks };
            const given = make(unevenLayout(ranks), direction, options);
            expect(given.ranks).toEqual(make(even, direction, options).ranks);
          }
        }
      }
    });
  }
});

describeWithTools('a fault', ['spin', 'gcc'], () => {
  const BOTH = ['forward', 'backward'] as const;

  for (const name of NAMES) {
    // The longest searches first, for they run beside all others.
    for (const ranks of ranksOf(name, scopeOf(name).faultRanks).reverse()) {
      for (const fault of ['lossy', 'dying'] as const) {
        // All losses at once on five ranks are too many states; limits.md says what is left out.
        const switches = fault === 'lossy' && ranks > 4 ? ['COPYING', 'LOSSES=1'] : ['COPYING'];
        it.concurrent(`${name}, ${ranks} ranks, ${fault}: never a wrong result`, async () => {
          const model = modelOf(name, ranks, BOTH, { recompute: true, fault, switches });
          expect((await verify(model, { waiting: true })).outcome).toBe('sound');
        });
      }
    }
  }

  it.concurrent('counts a rank that waits as a deadlock when nothing may be lost', async () => {
    for (const fault of ['lossy', 'dying'] as const) {
      const model = modelOf('lv-xattn', 2, ['forward'], { fault });
      expect((await verify(model)).outcome).toBe('deadlock');
    }
  });

  it.concurrent('would do harm, were it not looked at what a message is', async () => {
    const switches = ['COPYING', 'TRUSTING'];
    const model = modelOf('lv-xattn', 4, ['forward'], { fault: 'lossy', switches });
    expect((await verify(model, { waiting: true })).outcome).not.toBe('sound');
  });
});

describeWithTools('the protocol', ['spin', 'gcc'], () => {
  for (const name of NAMES) {
    const { passes, passesBeyond, allUpTo } = scopeOf(name);
    for (const ranks of ranksOf(name)) {
      const reduced = ranks > allUpTo;
      const switches = reduced ? ['COPYING'] : [];
      const how = reduced
        ? 'sound in every kind of interleaving, copying'
        : 'sound in every interleaving';
      for (const directions of reduced ? passesBeyond : passes) {
        // Recomputing changes one operation of a pass, and adds one.
        for (const recompute of name === 'lv-xattn' ? [false, true] : [true]) {
          it.concurrent(`${name}, ${ranks} ranks, ${show(directions, recompute)}: ${how}`, async () => {
            const model = modelOf(name, ranks, directions, { recompute, switches, reduced });
            const found = await verify(model, { reduced });
            expect(found.outcome).toBe('sound');
            // Every rank's operations one after another are one interleaving.
            const lists = passesOf(name, ranks, directions, recompute).flatMap((p) => p.ranks);
            expect(found.states).toBeGreaterThan(lists.flat().length);
            if (!reduced) return;
            // What is left on wires at the end is the same in every order: one run tells.
            const whole = modelOf(name, ranks, directions, { recompute, switches });
            expect((await simulate(whole)).outcome).toBe('sound');
          });
        }
      }
    }
  }
});

describeWithTools('passes done again', ['spin', 'gcc'], () => {
  // A pass of the same kind starts where the one before may still be read, so messages are copies.
  const switches = ['COPYING'];
  for (const name of NAMES) {
    const { repeated, repeatedRanks } = scopeOf(name);
    for (const ranks of ranksOf(name, repeatedRanks)) {
      // Every interleaving for LV-XAttn, every kind of them for the others.
      const reduced = name !== 'lv-xattn';
      for (const directions of repeated) {
        it.concurrent(`${name}, ${ranks} ranks, ${show(directions)}: sums start anew`, async () => {
          const options = { recompute: true, switches, reduced };
          const found = await verify(modelOf(name, ranks, directions, options), { reduced });
          expect(found.outcome).toBe('sound');
        });
      }
    }
  }

  it.concurrent('do no harm where queries are loaded twice, or a sum is added to once', async () => {
    const twice = MUTATIONS.filter(({ name }) => name === 'loaded-twice');
    expect(twice.length).toBe(1);
    const right = passesOf('lv-xattn', 2, ['forward', 'backward'], false);
    for (const mutation of twice) {
      expect((await verify(promelaModel(mutated(right, mutation)))).outcome).toBe('sound');
    }
    for (const control of ['KEEPING', 'ADDING']) {
      const found = await verify(promelaModel(right, { switches: [control] }));
      expect(found.outcome).toBe('sound');
    }
  });
});

/** A wrong schedule, the right one that it comes from, and how it is checked. */
function wrongOf(mutation: Mutation) {
  const { schedule = 'lv-xattn', ranks, passes, recompute = false, switches = [] } = mutation;
  const { isSkipped = () => false } = checkedOf(schedule);
  const right = passesOf(schedule, ranks, passes, recompute);
  const options = { recompute, switches, isSkipped };
  return { ...mutation, right, wrong: mutated(right, mutation), options };
}

/** Wrong schedules that are wrong in every order and with copies, by what refuses them. */
const REDUCED = MUTATIONS.filter(({ name }) =>
  ['receive-first', 'own-share-twice', 'rows-not-sent', 'sinks-in-every-group'].includes(name),
);

describeWithTools('a wrong schedule', ['spin', 'gcc'], () => {
  const examples = update ? {} : Kept.parse(JSON.parse(readFileSync(kept, 'utf8')));

  afterAll(() => {
    const sorted = MUTATIONS.flatMap(({ name }) =>
      examples[name] ? [[name, examples[name]]] : [],
    );
    if (update) writeFileSync(kept, `${JSON.stringify(Object.fromEntries(sorted))}\n`);
  });

  for (const { name, story, refusedBy, right, wrong, options } of MUTATIONS.map(wrongOf)) {
    it.concurrent(`${name} is refused by ${refusedBy}, and its kept counterexample leads there`, async () => {
      const model = promelaModel(wrong, options);
      expect(model).not.toBe(promelaModel(right, { ...options, switches: [] }));
      const { outcome, order } = await verify(model);
      expect(outcome).toBe(refusedBy);
      if (update) examples[name] = { story, order: [...order] };
      const example = examples[name];
      expect(example?.story).toBe(story);
      const replay = promelaModel(wrong, { ...options, order: example?.order ?? [] });
      expect((await simulate(replay)).outcome).toBe(refusedBy);
    });
  }

  for (const { name, refusedBy, wrong, options } of REDUCED.map(wrongOf)) {
    it.concurrent(`${name} is refused by ${refusedBy} in the reduced search too`, async () => {
      const copying = { ...options, switches: [...options.switches, 'COPYING'], reduced: true };
      const found = await verify(promelaModel(wrong, copying), { reduced: true });
      expect(found.outcome).toBe(refusedBy);
    });
  }

  it('is there for every check that the model makes', () => {
    const refusing = new Set(MUTATIONS.map(({ refusedBy }) => refusedBy));
    expect([...refusing].sort()).toEqual([...CHECKS, 'deadlock'].sort());
  });

  it('is there for every schedule', () => {
    const wrong = new Set(MUTATIONS.map(({ schedule = 'lv-xattn' }) => schedule.split(/ |,/)[0]));
    expect([...wrong].sort()).toEqual([...SCHEDULE_NAMES].sort());
  });

  it('has no counterexample without its schedule', () => {
    const known = MUTATIONS.map(({ name }) => name);
    expect(Object.keys(examples).filter((name) => !known.includes(name))).toEqual([]);
  });
});
