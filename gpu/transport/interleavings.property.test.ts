import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseByScheduler } from '../../properties/arbitraries/interleaving.ts';
import { drawCase } from '../../reference/case/draw-case.ts';
import { referenceDevice } from '../device/reference.ts';
import { distribute } from '../distribute.ts';
import { passesOf, runOnOneThread } from '../run.ts';
import { bitsOf, endingOf, planArbitrary, targets } from '../testing/fault-plans.ts';
import { type Faults, NO_FAULTS } from './faults.ts';

describe('interleavings that fast-check schedules', () => {
  it('give the bits of any other, under every schedule', async () => {
    const all = await targets();
    const orders = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...all), fc.scheduler(), async (target, scheduler) => {
        const moves: number[] = [];
        const next = chooseByScheduler(scheduler);
        const choose = async (open: readonly number[]) => {
          const rank = await next(open);
          moves.push(rank);
          return rank;
        };
        const { results } = await runOnOneThread(target.shards, target.passes, referenceDevice(), {
          choose,
        });
        expect(Buffer.compare(bitsOf(results), target.bits)).toBe(0);
        orders.add(`${target.name} ${moves.join('')}`);
      }),
      { seed: 11, numRuns: 300 },
    );
    // They are many, not one again and again.
    expect(orders.size).toBeGreaterThan(250);
  });

  it('end in the right bits or the right error with faults', async () => {
    const all = await targets();
    await fc.assert(
      fc.asyncProperty(planArbitrary(all), fc.scheduler(), async (plan, scheduler) => {
        await endingOf(plan, chooseByScheduler(scheduler));
      }),
      { seed: 18, numRuns: 500 },
    );
  });

  it('find what goes wrong in some of them only', async () => {
    const partition = { ranks: 2, q: [1, 1], kv: [1, 1] };
    const c = drawCase(1, { seq_q: 2, seq_kv: 2, partition, gradients: false });
    let well = 0;
    const property = fc.asyncProperty(fc.scheduler(), async (scheduler) => {
      const choose = chooseByScheduler(scheduler);
      let before = -1;
      const faults: Faults = {
        ...NO_FAULTS,
        // A message is lost where rank 1 sends before rank 0 has.
        carry: (message) => {
          const isLost = before === -1 && message.from === 1;
          before = message.from;
          return isLost ? [] : [{ message, after: 0 }];
        },
      };
      const shards = distribute(c, 'f64');
      await runOnOneThread(shards, passesOf(c, 'lv-xattn'), referenceDevice(), { choose }, faults);
      well++;
    });
    const found = await fc.check(property, { seed: 18, numRuns: 50 });
    expect(found.failed).toBe(true);
    expect(String(found.errorInstance)).toMatch(/rank [01], pass 0, step \d+ .*on lane/);
    // The order that it happens in is reported.
    expect(String(found.counterexample)).toContain('rank 1');
    expect(well).toBeGreaterThan(0);
  });
});
