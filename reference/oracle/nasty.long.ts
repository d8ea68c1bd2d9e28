/**
 * A million elements of nasty cases, each rounding and each enclosure held to the exact evaluation.
 * XATTN_NASTY_FROM=SEED goes on where an earlier run ended.
 * @module
 */
import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { nastyCase } from '../testing/nasty-cases.ts';
import { ANSWER_FORMATS, judgeNasty } from '../testing/nasty-check.ts';

const ELEMENTS = Number(process.env.XATTN_LONG_NASTY ?? 1_000_000);
const FROM = Number(process.env.XATTN_NASTY_FROM ?? 1000);
/** Cases between two lines of progress. */
const SHOWN = 100;

it(`${ELEMENTS} elements of nasty cases are rounded and enclosed right`, async () => {
  const total = { checked: 0, witnessed: 0, undecided: 0, wrong: 0 };
  const found: string[] = [];
  for (let seed = FROM; total.checked < ELEMENTS; seed++) {
    const format = ANSWER_FORMATS[seed % ANSWER_FORMATS.length] ?? 'f64';
    const { wrong, ...counts } = judgeNasty(nastyCase(seed), format);
    for (const key of ['checked', 'witnessed', 'undecided'] as const) total[key] += counts[key];
    total.wrong += wrong.length;
    found.push(...wrong.slice(0, 3).map((sentence) => `seed ${seed}, ${format}: ${sentence}`));
    if (seed % SHOWN === 0) {
      console.log(`seed ${seed}: ${JSON.stringify(total)}`);
      await setImmediate(); // a loop that never waits prints at its end only
    }
  }
  console.log(`${JSON.stringify(total)}`);
  expect(found).toEqual([]);
});
