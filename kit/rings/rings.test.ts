/** The reference rings pass the gate on four ranks, uneven and empty blocks included, and fail it when they are broken. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { judged, judgedText, RANKS, RINGS, type RingReport, TOLD } from './run-rings.ts';

/** What each is asked here; rings.long.ts asks all of `core`. JAX compiles every shape. */
const ASKED = {
  torch: ['--suite', 'smoke'],
  mpi: ['--suite', 'smoke'],
  jax: [
    '--suite',
    'core',
    '--only',
    '*/{grid/{gqa,bias,recompute},ranks/{4-uneven,3-even}}-gradients',
  ],
} as const;

const wrong = ({ cases }: RingReport) =>
  cases.filter(({ verdict }) => verdict !== 'pass' && verdict !== 'skip');

for (const [name, ring] of Object.entries(RINGS)) {
  if (!ring.here)
    console.warn(`SKIPPED: the ring of ${name} is not tested, its library is missing`);
}

describe.each(['torch', 'mpi', 'jax'] as const)('the ring of %s', (name) => {
  it.runIf(RINGS[name].here)('passes on four ranks what it is dealt', () => {
    const report = judged(RINGS[name], ASKED[name]);
    expect(wrong(report)).toEqual([]);
    expect(report.status).toBe(0);
    expect(report.summary.pass).toBeGreaterThanOrEqual(name === 'jax' ? 5 : 50);
    const ran = report.cases.flatMap(({ ranks }) => ranks?.ran ?? []);
    expect(new Set(ran)).toEqual(new Set([RANKS]));
  });
});

describe('a ring that is broken', () => {
  it.runIf(RINGS.mpi.here)('a rank that fails ends them all, and the next case is answered', () => {
    const text = readFileSync(join(import.meta.dirname, RINGS.mpi.file), 'utf8');
    const at = 'def compute(case):\n';
    const failing = `${at}    if case.rank == 2 and case.keys[0].stop == 1:\n        raise ValueError("rank 2 has had enough")\n`;
    const only = ['--suite', 'core', '--only', '*/ranks/4-{even,uneven}'];
    const { status, cases } = judgedText(RINGS.mpi, text.replace(at, failing), only);
    expect(status).toBe(3);
    expect(cases).toMatchObject([
      { id: 'core/ranks/4-even', verdict: 'pass' },
      { id: 'core/ranks/4-uneven', verdict: 'broken' },
    ]);
    expect(cases[1]?.reason).toMatch(/^it exited with status \d+ before it answered/);
    expect(cases[1]?.log?.join(' ')).toMatch(/ValueError: rank 2 has had enough/);
  });

  it.runIf(RINGS.mpi.here).each(['dq-doubled-on-rank-3', 'merge-of-round-2'] as const)(
    '%s: the rank is named',
    (fault) => {
      const [id, told] = TOLD[fault];
      const report = judged(RINGS.mpi, ['--suite', 'core', '--only', id], fault);
      expect(report.status).toBe(1);
      expect(report.cases).toMatchObject([{ id, verdict: 'impossible' }]);
      expect(report.cases[0]?.reason).toMatch(told);
    },
  );
});
