/**
 * A drawn timeline says what it draws, and what it does not.
 * @module
 */

import { describe, expect, it } from 'vitest';
import { create } from 'xmlbuilder2';
import { lvXattnSchedule } from './schedules/lv-xattn.ts';
import { ulyssesSchedule } from './schedules/ulysses.ts';
import { nameAt } from './span-names.ts';
import { escaped, RANKS_SHOWN, type Timeline, ticksOf, timelineSvg } from './timeline-svg.ts';

const timeline = (changes: Partial<Timeline> = {}): Timeline => ({
  ...{ title: 'a run', notes: ['a note'], ranks: 2, seconds: 4, sending: 'sending' },
  passes: [{ name: 'forward', start_s: 0 }],
  spans: [
    { rank: 0, lane: 'compute', start_s: 0, end_s: 3, label: 'q0·k0' },
    { rank: 1, lane: 'wait', start_s: 1, end_s: 2, label: 'receive' },
    { rank: 1, lane: 'send', start_s: 2, end_s: 4, label: 'send' },
  ],
  ...changes,
});
const bars = (svg: string, lane: string): string[] =>
  [
    ...svg.matchAll(
      new RegExp(`<rect class="${lane}" x="([\\d.]+)" y="(\\d+)" width="([\\d.]+)"`, 'g'),
    ),
  ]
    // The legend's is 14 wide.
    .map(([, x, y, width]) => `${x} ${y} ${width}`)
    .filter((text) => !text.endsWith(' 14'));

describe('a drawn timeline', () => {
  it('is XML, with a bar where each span is, a legend and an axis with its unit', () => {
    const svg = timelineSvg(timeline());
    expect(() => create(svg)).not.toThrow();
    // 1000 pixels for 4 seconds from 70 on; rows 36 apart.
    expect(bars(svg, 'compute')).toEqual(['70 78 750']);
    expect(bars(svg, 'wait')).toEqual(['320 114 250']);
    expect(bars(svg, 'send')).toEqual(['570 132 500']);
    for (const text of ['time, s', 'computing', 'exposed communication', 'a note', '>q0·k0<']) {
      expect(svg).toContain(text);
    }
    expect(svg).not.toContain('Not drawn');
  });

  it('escapes every text', () => {
    const evil = '<script>"&\u0000';
    const svg = timelineSvg(
      timeline({
        ...{ title: evil, notes: [evil], sending: evil },
        passes: [{ name: evil, start_s: 0 }],
        spans: [{ rank: 0, lane: 'compute', start_s: 0, end_s: 4, label: evil }],
      }),
    );
    expect(svg).not.toContain('<script');
    expect(svg).not.toContain('\u0000');
    expect(svg.split('&lt;script&gt;&quot;&amp;\ufffd').length - 1).toBe(7);
    expect(escaped('a\ud800b')).toBe('a\ufffdb');
  });

  it('says which ranks it leaves out', () => {
    const svg = timelineSvg(
      timeline({
        ranks: 64,
        spans: [{ rank: 40, lane: 'compute', start_s: 0, end_s: 1, label: 'c' }],
      }),
    );
    expect(svg).toContain(`Not drawn: ranks ${RANKS_SHOWN} to 63, ${64 - RANKS_SHOWN} of 64.`);
    expect(bars(svg, 'compute')).toEqual([]);
    expect(svg).toContain('>rank 15<');
    expect(svg).not.toContain('>rank 16<');
  });

  it('draws what is too small together, and says how many, but never one large span with another', () => {
    const small = Array.from({ length: 10_000 }, (_, n) => ({
      ...{ rank: 0, lane: 'compute' as const, label: `s${n}` },
      ...{ start_s: n * 4e-4, end_s: n * 4e-4 + 3e-4 },
    }));
    const svg = timelineSvg(timeline({ spans: small }));
    expect(bars(svg, 'compute').length).toBeLessThan(1000);
    const counts = [...svg.matchAll(/<title>(\d+) together/g)].map(([, count]) => Number(count));
    const alone = bars(svg, 'compute').length - counts.length;
    expect(counts.reduce((sum, n) => sum + n, alone)).toBe(10_000);
    const large = [0, 1, 2, 3].map((n) => ({
      ...{ rank: 0, lane: 'compute' as const, label: `q${n}`, start_s: n, end_s: n + 1 },
    }));
    expect(bars(timelineSvg(timeline({ spans: large })), 'compute')).toHaveLength(4);
  });

  it('has ticks of 1, 2 or 5 in the unit that fits', () => {
    for (const [seconds, unit] of [
      [3.3e-7, 'ns'],
      [0.0042, 'ms'],
      [0.25, 'ms'],
      [7, 's'],
      [12_345, 's'],
    ] as const) {
      const { unit: got, ticks } = ticksOf(seconds);
      expect(got).toBe(unit);
      expect(ticks.length).toBeGreaterThanOrEqual(4);
      expect(ticks.length).toBeLessThanOrEqual(10);
      expect(new Set(ticks.map(({ text }) => text)).size).toBe(ticks.length);
      expect(ticks.at(-1)!.at_s).toBeLessThanOrEqual(seconds * (1 + 1e-9));
    }
  });

  it('refuses what has no length or no ranks', () => {
    expect(() => timelineSvg(timeline({ seconds: 0 }))).toThrow('"seconds" expected a length');
    expect(() => timelineSvg(timeline({ ranks: 0 }))).toThrow('"ranks" expected 1 or more');
  });
});

describe('a computation’s name', () => {
  const computed = (list: Parameters<typeof nameAt>[0], rank: number): string[] =>
    list.flatMap(({ op }, at) => (op === 'computeBlock' ? [nameAt(list, rank, at)] : []));

  it('is of the blocks that meet', () => {
    const layout = { ranks: 3, q: [1, 1, 1], kv: [1, 1, 1] };
    for (const direction of ['forward', 'backward'] as const) {
      const { ranks } = lvXattnSchedule(layout, direction);
      expect(computed(ranks[1]!, 1)).toEqual(['q1·k1', 'q0·k1', 'q2·k1']);
    }
    const dealt = ulyssesSchedule(layout, 'forward', { heads: 3 });
    expect(computed(dealt.ranks[2]!, 2)).toEqual(['q0,1,2·k0,1,2']);
  });
});
