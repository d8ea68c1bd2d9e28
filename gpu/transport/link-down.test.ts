import { describe, expect, it } from 'vitest';
import { StepError } from '../interpreter.ts';
import { lvXattnSchedule } from '../schedules/lv-xattn.ts';
import { endingOfParted } from '../testing/link-down.ts';
import { sentFor } from './sent-for.ts';

describe('a link that is down, of which nobody is told', () => {
  for (const [from, to, after] of [
    [0, 1, 0],
    [1, 2, 1],
    [2, 0, 3],
  ] as const) {
    it(`is named by one of its ends: rank ${from} to ${to}, after ${after} messages`, async () => {
      const ended = await endingOfParted({ from, to, after });
      expect(ended).toBeInstanceOf(StepError);
      const { rank, message } = ended as StepError;
      const receives = new RegExp(
        `waited 400 ms for a message from rank ${from} on lane \\w+: block \\d, which it (has sent|sends) in `,
      );
      const sends = new RegExp(`waited 400 ms for rank ${to} to take what is on lane`);
      expect([from, to]).toContain(rank);
      expect(message).toMatch(rank === to ? receives : sends);
    }, 20_000);
  }
});

describe('what a receiver waits for', () => {
  it('is what its sender sends in that step, every message of a pass once', () => {
    const pass = lvXattnSchedule({ ranks: 4, q: [1, 1, 1, 1], kv: [1, 1, 1, 1] }, 'backward');
    const found = new Set<string>();
    let receives = 0;
    for (const [rank, list] of pass.ranks.entries()) {
      for (const [step, o] of list.entries()) {
        const sent = sentFor([pass], rank, { pass: 0, step });
        if (o.op !== 'receive') {
          expect(sent).toBe(null);
          continue;
        }
        receives++;
        const { lane, blocks } = o;
        expect(pass.ranks[sent!.from]![sent!.at.step]).toMatchObject({ op: 'send', lane, blocks });
        expect(sent!.blocks).toEqual(blocks);
        found.add(`${sent!.from}/${sent!.at.step}`);
      }
    }
    expect(found.size).toBe(receives);
  });
});
