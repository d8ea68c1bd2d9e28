/**
 * The schedules, model-checked: every interleaving of every rank, sound links and unsound ones; and
 * wrong schedules, each refused with a counterexample that is kept beside this file.
 *
 * XATTN_UPDATE=1 writes counterexamples.json anew.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { z } from 'zod';
import { type ModelOptions, promelaModel } from '../../gpu/promela.ts';
import type { Direction, Schedule } from '../../gpu/schedule.ts';
import { lvXattnSchedule } from '../../gpu/schedules/lv-xattn.ts';
import { describeWithTools } from '../tools.ts';
import { MUTATIONS, mutated } from './mutations.ts';
import { simulate, verify } from './spin.ts';

/** Uneven blocks; from two ranks on one of each kind is empty. */
const layoutOf = (ranks: number): Schedule['layout'] => ({
  ranks,
  q: Array.from({ length: ranks }, (_, n) => (ranks > 1 && n === 0 ? 0 : n + 1)),
  kv: Array.from({ length: ranks }, (_, n) => (ranks > 1 && n === ranks - 1 ? 0 : 2 * n + 1)),
});

const PASSES: readonly (readonly Direction[])[] = [
  ['forward'],
  ['backward'],
  ['forward', 'backward'],
];

function passesOf(ranks: number, directions: readonly Direction[], recompute: boolean): Schedule[] {
  return directions.map((direction) => lvXattnSchedule(layoutOf(ranks), direction, { recompute }));
}

/** A backward pass alone starts where a forward pass has ended: nothing is to be finished before. */
const RELIABLE = [1, 2, 3, 4, 5, 6].flatMap((ranks) =>
  PASSES.flatMap((directions) =>
    [false, true].map((recompute) => ({ ranks, directions, recompute })),
  ),
);

const kept = join(import.meta.dirname, 'counterexamples.json');
const update = process.env.XATTN_UPDATE === '1';
const Kept = z.record(
  z.string(),
  z.strictObject({ story: z.string(), outcome: z.string(), order: z.array(z.int().min(0)) }),
);

describeWithTools('the protocol', ['spin', 'gcc'], () => {
  for (const { ranks, directions, recompute } of RELIABLE) {
    const what = `${directions.join(' then ')}${recompute ? ', recomputing' : ''}`;
    it(`lv-xattn, ${ranks} ranks, ${what}: sound in every interleaving`, () => {
      const found = verify(promelaModel(passesOf(ranks, directions, recompute)));
      expect(found.outcome).toBe('sound');
      expect(found.states).toBeGreaterThan(ranks * 10);
    });
  }

  for (const ranks of [2, 3, 4, 5, 6]) {
    // Six ranks that may lose anything exceed memory; limits.md says what is left out.
    const switches = ranks === 6 ? ['COPYING', 'LOSSES=1'] : ['COPYING'];
    it(`lv-xattn, ${ranks} ranks, forward then backward, lossy link: never a wrong result`, () => {
      const passes = passesOf(ranks, ['forward', 'backward'], true);
      const options: ModelOptions = { fault: 'lossy', switches };
      expect(verify(promelaModel(passes, options), { waiting: true }).outcome).toBe('sound');
    });

    it(`lv-xattn, ${ranks} ranks, forward then backward, a rank dies: never a wrong result`, () => {
      const passes = passesOf(ranks, ['forward', 'backward'], true);
      const options: ModelOptions = { fault: 'dying', switches: ['COPYING'] };
      expect(verify(promelaModel(passes, options), { waiting: true }).outcome).toBe('sound');
    });
  }

  it('would find losses, were the number of a block not looked at', () => {
    const passes = passesOf(4, ['forward'], false);
    const options: ModelOptions = { fault: 'lossy', switches: ['COPYING', 'TRUSTING'] };
    expect(verify(promelaModel(passes, options), { waiting: true }).outcome).toBe('rightBlock');
  });

  it('finds that a transport which does not copy must wait between passes once a message is lost', () => {
    const passes = passesOf(4, ['forward', 'backward'], false);
    const found = verify(promelaModel(passes, { fault: 'lossy' }), { waiting: true });
    expect(found.outcome).toBe('slotFree');
  });

  it('counts a rank that waits as a deadlock when nothing may be lost', () => {
    const lossy = promelaModel(passesOf(2, ['forward'], false), { fault: 'lossy' });
    expect(verify(lossy).outcome).toBe('deadlock');
  });
});

describeWithTools('a wrong schedule', ['spin', 'gcc'], () => {
  const examples = update ? {} : Kept.parse(JSON.parse(readFileSync(kept, 'utf8')));

  afterAll(() => {
    if (update) writeFileSync(kept, `${JSON.stringify(examples, null, 1)}\n`);
  });

  for (const mutation of MUTATIONS) {
    const { name, story, ranks, direction, recompute = false } = mutation;
    const right = lvXattnSchedule(layoutOf(ranks), direction, { recompute });
    const wrong = mutated(right, mutation);

    it(`${name} is refused`, () => {
      expect(wrong).not.toEqual(right);
      expect(verify(promelaModel([right])).outcome).toBe('sound');
      const { outcome, order } = verify(promelaModel([wrong]));
      expect(outcome).not.toBe('sound');
      if (update) examples[name] = { story, outcome, order: [...order] };
    });

    it(`${name}: the kept counterexample still leads to the violation`, () => {
      const example = examples[name];
      expect(example?.story).toBe(story);
      const { outcome } = simulate(promelaModel([wrong], { order: example?.order ?? [] }));
      expect(outcome).toBe(example?.outcome);
    });
  }

  it('leaves no counterexample without its schedule', () => {
    expect(Object.keys(examples)).toEqual(MUTATIONS.map(({ name }) => name));
  });
});
