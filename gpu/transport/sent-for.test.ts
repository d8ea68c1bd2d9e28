import { describe, expect, it } from 'vitest';
import { lvXattnSchedule } from '../schedules/lv-xattn.ts';
import { sentOrNot } from './sent-for.ts';

const passes = [
  lvXattnSchedule({ ranks: 3, q: [1, 1, 1], kv: [1, 1, 1] }, 'forward'),
  lvXattnSchedule({ ranks: 3, q: [1, 1, 1], kv: [1, 1, 1] }, 'backward'),
];
const list = passes[1]!.ranks[1]!;
const receives = list.flatMap((o, at) => (o.op === 'receive' && o.lane === 'result' ? [at] : []));
const sends = passes[1]!.ranks[0]!.flatMap((o, at) =>
  o.op === 'send' && o.lane === 'result' ? [at] : [],
);

describe('a message that does not come', () => {
  it('is named by its block, and by whether its sender is past the step that sends it', () => {
    for (const [n, step] of receives.entries()) {
      const at = sends[n]!;
      const told = (pass: number, last: number) =>
        sentOrNot(passes, 1, { pass: 1, step }, (rank) => {
          expect(rank).toBe(0);
          return { pass, step: last };
        });
      const { blocks } = list[step] as { blocks: readonly number[] };
      const which = `: block ${blocks[0]}, which it`;
      expect(told(1, at + 1)).toBe(`${which} has sent in its pass 1, step ${at}`);
      expect(told(2, 0)).toBe(`${which} has sent in its pass 1, step ${at}`);
      for (const [pass, last] of [
        [1, at],
        [0, at + 1],
      ] as const) {
        expect(told(pass, last)).toBe(
          `${which} sends in its pass 1, step ${at}, and was last at pass ${pass}, step ${last}`,
        );
      }
    }
    expect(receives.length).toBe(3);
  });

  it('is none where the rank does something else', () => {
    const other = list.findIndex(({ op }) => op === 'send');
    expect(sentOrNot(passes, 1, { pass: 1, step: other }, () => ({ pass: 0, step: 0 }))).toBe('');
    expect(sentOrNot(passes, 1, { pass: 2, step: 0 }, () => ({ pass: 0, step: 0 }))).toBe('');
  });
});
