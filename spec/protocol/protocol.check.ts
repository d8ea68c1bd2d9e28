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
import { describeWithTools } from '../tools.ts';
import { MUTATIONS, mutated } from './mutations.ts';
import {
  PASSES,
  passesOf,
  RANKS,
  REPEATED,
  REPEATED_RANKS_MAX,
  SCHEDULES,
  unevenLayout,
} from './schedules.ts';
import { simulate, verify } from './spin.ts';

const names = Object.keys(SCHEDULES);
const kept = join(import.meta.dirname, 'counterexamples.json');
const update = process.env.XATTN_UPDATE === '1';
const Kept = z.record(
  z.string(),
  z.strictObject({ story: z.string(), order: z.array(z.int().min(0)) }),
);

/** The names that lanes.pml gives to its checks. */
const lanes = readFileSync(join(import.meta.dirname, 'lanes.pml'), 'utf8');
const CHECKS = (/mtype = \{([^}]*)\}/.exec(lanes)?.[1] ?? '').split(',').map((s) => s.trim());

describe('the layout', () => {
  for (const [name, schedule] of Object.entries(SCHEDULES)) {
    it(`of ${name} changes no operation: an empty block travels like any other`, () => {
      for (const ranks of RANKS) {
        const even = { ranks, q: Array(ranks).fill(2), kv: Array(ranks).fill(2) };
        for (const direction of ['forward', 'backward'] as const) {
          for (const recompute of [false, true]) {
            const given = schedule(unevenLayout(ranks), direction, { recompute });
            expect(given.ranks).toEqual(schedule(even, direction, { recompute }).ranks);
          }
        }
      }
    });
  }
});

describeWithTools('a fault', ['spin', 'gcc'], () => {
  const both = (name: string, ranks: number, recompute = true) =>
    passesOf(name, ranks, ['forward', 'backward'], recompute);

  for (const name of names) {
    // The longest searches first, for they run beside all others.
    for (const ranks of RANKS.filter((n) => n > 1).reverse()) {
      for (const fault of ['lossy', 'dying'] as const) {
        // All losses at once on five ranks are too many states; limits.md says what is left out.
        const switches = fault === 'lossy' && ranks > 4 ? ['COPYING', 'LOSSES=1'] : ['COPYING'];
        it.concurrent(`${name}, ${ranks} ranks, ${fault}: never a wrong result`, async () => {
          const options: ModelOptions = { recompute: true, fault, switches };
          const found = await verify(promelaModel(both(name, ranks), options), { waiting: true });
          expect(found.outcome).toBe('sound');
        });
      }
    }
  }

  it.concurrent('counts a rank that waits as a deadlock when nothing may be lost', async () => {
    const passes = passesOf('lv-xattn', 2, ['forward'], false);
    for (const fault of ['lossy', 'dying'] as const) {
      expect((await verify(promelaModel(passes, { fault }))).outcome).toBe('deadlock');
    }
  });

  it.concurrent('would do harm, were the number of a block not looked at', async () => {
    const passes = passesOf('lv-xattn', 4, ['forward'], false);
    const options: ModelOptions = { fault: 'lossy', switches: ['COPYING', 'TRUSTING'] };
    expect((await verify(promelaModel(passes, options), { waiting: true })).outcome).not.toBe(
      'sound',
    );
  });

  it.concurrent('of the link is not borne by a transport that does not copy', async () => {
    const model = promelaModel(both('lv-xattn', 4, false), { fault: 'lossy' });
    expect((await verify(model, { waiting: true })).outcome).toBe('slotFree');
  });
});

describeWithTools('the protocol', ['spin', 'gcc'], () => {
  for (const name of names) {
    for (const ranks of RANKS) {
      for (const directions of PASSES) {
        for (const recompute of [false, true]) {
          const what = `${directions.join(' then ')}${recompute ? ', recomputing' : ''}`;
          it.concurrent(`${name}, ${ranks} ranks, ${what}: sound in every interleaving`, async () => {
            const passes = passesOf(name, ranks, directions, recompute);
            const found = await verify(promelaModel(passes, { recompute }));
            expect(found.outcome).toBe('sound');
            // Every rank's operations one after another are one interleaving.
            expect(found.states).toBeGreaterThan(passes.flatMap((p) => p.ranks.flat()).length);
          });
        }
      }
    }
  }
});

describeWithTools('passes done again', ['spin', 'gcc'], () => {
  // A pass of the same kind starts where the one before may still be read, so messages are copies.
  const switches = ['COPYING'];
  for (const name of names) {
    for (const ranks of RANKS.filter((n) => n <= REPEATED_RANKS_MAX)) {
      for (const directions of REPEATED) {
        it.concurrent(`${name}, ${ranks} ranks, ${directions.join(' then ')}: sums start anew`, async () => {
          const passes = passesOf(name, ranks, directions, true);
          const found = await verify(promelaModel(passes, { recompute: true, switches }));
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

describeWithTools('a wrong schedule', ['spin', 'gcc'], () => {
  const examples = update ? {} : Kept.parse(JSON.parse(readFileSync(kept, 'utf8')));

  afterAll(() => {
    const sorted = MUTATIONS.flatMap(({ name }) =>
      examples[name] ? [[name, examples[name]]] : [],
    );
    if (update) writeFileSync(kept, `${JSON.stringify(Object.fromEntries(sorted))}\n`);
  });

  for (const mutation of MUTATIONS) {
    const { name, story, ranks, passes, recompute = false, switches = [], refusedBy } = mutation;
    const right = passesOf('lv-xattn', ranks, passes, recompute);
    const wrong = mutated(right, mutation);

    it.concurrent(`${name} is refused by ${refusedBy}, and its kept counterexample leads there`, async () => {
      const model = promelaModel(wrong, { recompute, switches });
      expect(model).not.toBe(promelaModel(right, { recompute }));
      const { outcome, order } = await verify(model);
      expect(outcome).toBe(refusedBy);
      if (update) examples[name] = { story, order: [...order] };
      const example = examples[name];
      expect(example?.story).toBe(story);
      const replay = promelaModel(wrong, { recompute, switches, order: example?.order ?? [] });
      expect((await simulate(replay)).outcome).toBe(refusedBy);
    });
  }

  it('is there for every check that the model makes', () => {
    const refusing = new Set(MUTATIONS.map(({ refusedBy }) => refusedBy));
    expect([...refusing].sort()).toEqual([...CHECKS, 'deadlock'].sort());
  });

  it('has no counterexample without its schedule', () => {
    const known = MUTATIONS.map(({ name }) => name);
    expect(Object.keys(examples).filter((name) => !known.includes(name))).toEqual([]);
  });
});
