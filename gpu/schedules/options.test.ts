import { afterAll, describe, expect, it } from 'vitest';
import { matchers } from '../../properties/matchers.ts';
import type { AttentionCase, OutputName } from '../../reference/case/case.ts';
import { type CaseChanges, drawCase } from '../../reference/case/draw-case.ts';
import type { GivenOutputs } from '../../reference/case/given.ts';
import { judge } from '../../reference/verdict/judge.ts';
import { closeWorkers, type RunResult, run } from '../run.ts';
import { type PassOptions, TRANSPORT_NAMES } from '../run-options.ts';
import { SCHEDULE_NAMES, type ScheduleName } from './index.ts';

expect.extend(matchers);
afterAll(closeWorkers);

const LAYOUTS = [
  { ranks: 3, q: [0, 4, 2], kv: [3, 0, 6] },
  { ranks: 5, q: [1, 0, 2, 3, 0], kv: [0, 2, 2, 0, 5] },
] as const;
const MASKS: readonly [string, CaseChanges][] = [
  ['causal', { causal: 'top-left' }],
  ['causal from the end, in a window', { causal: 'bottom-right', window: [2, 0] }],
  ['lengths', { batch: 2, lengths: [4, 2] }],
  ['nothing masked', {}],
];

const WAYS: readonly PassOptions[] = [
  { overlap: false },
  { skipEmpty: true },
  { overlap: false, skipEmpty: true },
];

const caseOf = (layout: (typeof LAYOUTS)[number], changes: CaseChanges): AttentionCase => {
  const partition = { ranks: layout.ranks, q: [...layout.q], kv: [...layout.kv] };
  const sizes = { seq_q: 6, seq_kv: 9, heads: 4, kv_heads: 2, sink: true, dLse: true };
  return drawCase(3, { ...sizes, ...changes, partition });
};

const verdictOf = (c: AttentionCase, { outputs }: RunResult): string => {
  const given: GivenOutputs = {};
  for (const [name, tensor] of Object.entries(outputs)) {
    given[name as OutputName] = { dtype: 'F64', tensor };
  }
  return judge(c, given, 'f64').verdict;
};

/** Pairs that a rank may leave out, by the rules of masks written down once more. */
function emptyOf({ parameters: p, inputs }: AttentionCase): number {
  const bounds = (sizes: readonly number[], block: number): [number, number] => {
    const before = sizes.slice(0, block).reduce((sum, n) => sum + n, 0);
    return [before, before + (sizes[block] ?? 0)];
  };
  const shift = p.causal === 'bottom-right' ? p.seq_kv - p.seq_q : 0;
  let empty = 0;
  for (let query = 0; query < p.partition.ranks; query++) {
    for (let keys = 0; keys < p.partition.ranks; keys++) {
      const [[top, bottom], [first, end]] = [
        bounds(p.partition.q, query),
        bounds(p.partition.kv, keys),
      ];
      let seen = false;
      for (let i = top; i < bottom; i++) {
        for (let j = first; j < end; j++) {
          for (let b = 0; b < p.batch; b++) {
            const far = p.causal !== 'none' && j > i + shift;
            const old = p.window !== null && j < i + shift - p.window[0];
            const cut = inputs.kv_lengths !== undefined && j >= inputs.kv_lengths.get(b);
            if (!far && !old && !cut) seen = true;
          }
        }
      }
      if (!seen) empty++;
    }
  }
  return empty;
}

const countOf = ({ log }: RunResult, op: string, direction: string): number =>
  log.filter((one) => one.operation.op === op && one.direction === direction).length;
const sentBy = ({ log }: RunResult, lane: string): number =>
  log
    .filter(({ operation: o }) => o.op === 'send' && o.lane === lane)
    .reduce((sum, { elements }) => sum + elements, 0);

/** Ranks whose queries leave before the first block of a pass is computed. */
const sendingAhead = ({ log }: RunResult, ranks: number): number =>
  Array.from({ length: ranks }, (_, rank) => {
    const own = log.filter((one) => one.rank === rank && one.direction === 'forward');
    const first = own.find(
      ({ operation: o }) => o.op === 'computeBlock' || (o.op === 'send' && o.lane === 'query'),
    );
    return first?.operation.op === 'send';
  }).filter((ahead) => ahead).length;

describe.each(TRANSPORT_NAMES)('options of schedules on %s', (transport) => {
  const ask = (c: AttentionCase, schedule: ScheduleName, options: PassOptions) =>
    run(c, { ...options, schedule, transport, device: 'reference' });

  it.each(MASKS)('leave the answer as it is: %s', async (_, changes) => {
    for (const layout of LAYOUTS) {
      const c = caseOf(layout, changes);
      const plain = await ask(c, 'lv-xattn', {});
      expect(verdictOf(c, plain)).toBe('pass');
      for (const options of WAYS) {
        const done = await ask(c, 'lv-xattn', options);
        expect(verdictOf(c, done)).toBe('pass');
        // The same merges in the same order; what is left out adds nothing.
        expect(done.outputs).toEqualExactly(plain.outputs);
        const empty = options.skipEmpty ? emptyOf(c) : 0;
        for (const direction of ['forward', 'backward']) {
          const computed = countOf(done, 'computeBlock', direction);
          expect(computed).toBe(layout.ranks ** 2 - empty);
        }
        expect(sentBy(done, 'query')).toBe(sentBy(plain, 'query'));
        if (options.skipEmpty) continue;
        expect(sendingAhead(plain, layout.ranks)).toBe(layout.ranks);
        expect(sendingAhead(done, layout.ranks)).toBe(0);
      }
      const [grouped, expanded] = [
        await ask(c, 'ring-attention', {}),
        await ask(c, 'ring-attention', { expanded: true }),
      ];
      expect([verdictOf(c, grouped), verdictOf(c, expanded)]).toEqual(['pass', 'pass']);
      // Two query heads share each KV head.
      expect(sentBy(expanded, 'keys')).toBe(2 * sentBy(grouped, 'keys'));
      expect(sentBy(expanded, 'gradients')).toBe(2 * sentBy(grouped, 'gradients'));
    }
  });

  it('deal heads out in the groups that are asked for', async () => {
    const partition = { ranks: 4, q: [1, 0, 3, 2], kv: [4, 2, 0, 3] };
    const c = drawCase(4, { seq_q: 6, seq_kv: 9, heads: 4, kv_heads: 2, partition });
    for (const group of [undefined, 1, 2, 4]) {
      const done = await ask(c, 'usp', group === undefined ? {} : { group });
      expect(verdictOf(c, done)).toBe('pass');
      // Keys go to the others of a group, forward and backward.
      const sends = done.log.filter(({ operation: o }) => o.op === 'send' && o.lane === 'keys');
      expect(sends).toHaveLength(2 * 4 * ((group ?? 2) - 1));
    }
  });
});

describe('options that a schedule lacks', () => {
  const c = caseOf(LAYOUTS[0], {});
  const OWNERS: readonly [string, PassOptions, readonly ScheduleName[]][] = [
    ['"overlap" false expected the schedule lv-xattn', { overlap: false }, ['lv-xattn']],
    ['"skipEmpty" expected the schedule lv-xattn', { skipEmpty: true }, ['lv-xattn']],
    ['"expanded" expected the schedule ring-attention', { expanded: true }, ['ring-attention']],
    ['"group" expected the schedule usp', { group: 1 }, ['usp']],
  ];

  it.each(OWNERS)('are refused in a sentence: %s', async (sentence, options, owners) => {
    for (const schedule of SCHEDULE_NAMES.filter((name) => !owners.includes(name))) {
      const how = { ...options, schedule, transport: 'simulated', device: 'reference' } as const;
      await expect(run(c, how)).rejects.toThrow(`${sentence}, got ${schedule}`);
    }
  });

  it('are refused where a group divides ranks or heads alone', async () => {
    const how = { schedule: 'usp', transport: 'simulated', device: 'reference' } as const;
    for (const group of [2, 3, 5]) {
      await expect(run(c, { ...how, group })).rejects.toThrow(
        `"group" expected a divisor of "ranks" (3) and of "heads" (4), got ${group}`,
      );
    }
  });
});
