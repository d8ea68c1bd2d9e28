import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { describe, expect, it } from 'vitest';
import { exp, log, tanh } from '../../numbers/float64.ts';
import { kernelModule } from '../module.ts';

function through(name: 'expMany' | 'logMany' | 'tanhMany', points: number[]): number[] {
  const kernels = kernelModule();
  const count = points.length + (points.length % 2);
  const { from, to } = kernels.layOut({ from: count, to: count });
  from.view.set(points);
  kernels.run[name](from.at, to.at, count);
  return [...to.view.subarray(0, points.length)];
}

function draws(seed: number, count: number, low: number, high: number): number[] {
  const generator = xoroshiro128plus(seed);
  return Array.from({ length: count }, () => low + (high - low) * uniformFloat64(generator));
}

describe('the kernels', () => {
  it('are what their sources compile to', () => {
    execFileSync(process.execPath, [join(import.meta.dirname, '../compile.mjs'), '--check']);
  });

  it('have the bits of float64.ts in exp, also at the ends and at halves', () => {
    const halves = Array.from({ length: 2000 }, (_, k) => ((k - 1000) / 2) * 0.6931471805599453);
    const points = [
      ...draws(1, 100_000, -746, 710),
      ...draws(2, 50_000, -1, 1),
      ...draws(3, 20_000, -746, -700),
      ...halves,
      ...[
        0, -0, -745.14, -745.13, 709.78, 709.79, 709.8, 708, 709.782712893384, -708, -708.4, 1e-300,
      ],
      ...draws(8, 2000, 709.78, 709.8),
      ...[Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, -1e300],
    ];
    const expected = points.map(exp);
    expect(through('expMany', points)).toEqual(expected);
    const kernels = kernelModule();
    const count = Math.ceil(points.length / 8) * 8;
    const { at } = kernels.layOut({ at: count });
    at.view.set(points);
    kernels.run.expEights(at.at, count);
    expect([...at.view.subarray(0, points.length)]).toEqual(expected);
  });

  it('have the bits of float64.ts in log and tanh', () => {
    const positive = [...draws(4, 50_000, 0, 3), ...draws(5, 20_000, 0, 1e9), 5e-324, 1e-310, 1];
    expect(through('logMany', positive)).toEqual(positive.map(log));
    const any = [...draws(6, 50_000, -21, 21), ...draws(7, 20_000, -0.2, 0.2), 0, 0.17, -0.17, 30];
    expect(through('tanhMany', any)).toEqual(any.map(tanh));
  });
});
