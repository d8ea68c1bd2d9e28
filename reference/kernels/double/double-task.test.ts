import type { BigNumber } from 'mathjs';
import { describe, expect, it, vi } from 'vitest';
import type { AttentionCase, OutputName } from '../../case/case.ts';
import { outputShape } from '../../case/case-shapes.ts';
import { type CaseChanges, drawCase } from '../../case/draw-case.ts';
import { evaluate } from '../../definition/reference.ts';
import { big } from '../../numbers/big.ts';
import { UNKNOWN } from '../../numbers/enclosure.ts';
import { type Tensor, toFlat } from '../../numbers/tensor.ts';
import { DOUBLE_LEVEL } from '../../oracle/double-level.ts';
import type { OpenElements } from '../../oracle/open-elements.ts';
import { oracle } from '../../oracle/oracle.ts';
import { FEATURE_CASES } from '../../testing/feature-cases.ts';
import { certifyWithMaxima } from '../float64/certify.ts';
import { type HeadRows, headRows, type RowMaxima } from '../walk/head-rows.ts';
import type { KernelProblem } from '../walk/problem.ts';
import { type CertifiedDouble, certifyDouble } from './double-certify.ts';
import { newDoubleRows } from './double-sums.ts';
import { doubleUnitCount } from './double-task.ts';

const PLANES = ['high', 'low', 'radius'] as const;

/** Every plane of every output; zeros of either sign are told apart. */
const bits = (certified: CertifiedDouble) =>
  Object.entries(certified).map(([name, sums]) => [
    name,
    ...PLANES.map((plane) => Array.from(sums[plane], (x) => (Object.is(x, -0) ? '-0' : x))),
  ]);

/** Rows of each head its own; of one head none. */
function someRows({ parameters: p }: AttentionCase): HeadRows {
  const heads = Array.from({ length: p.batch * p.heads }, (_, n) => n);
  return headRows(
    heads.map((n) =>
      Array.from({ length: p.seq_q }, (_, i) => i).filter(
        (i) => n % 5 !== 3 && (i * 7 + n * 3) % (n + 2) === 0,
      ),
    ),
  );
}

const FEATURES: CaseChanges = {
  ...{ heads: 6, kv_heads: 2, batch: 1, head_dim: 5, head_dim_v: 3, softcap: 3, sink: true },
  ...{ causal: 'bottom-right', dropout_rate: 0.25, bias: [1, 6, 1, 300] },
};
const tall = drawCase(5, { ...FEATURES, seq_q: 150, seq_kv: 300 });

/** The rows of one head, in double-double alone. */
function oneHeadsRows(rows: HeadRows, head: number): HeadRows {
  return headRows(rows.rows.map((list, n) => (n === head ? list : [])));
}

describe('tasks in double-double', () => {
  for (const [name, changes] of FEATURE_CASES) {
    it(`have the same bits on any number of threads: ${name}`, () => {
      const c = drawCase(9, changes);
      const rows = someRows(c);
      const [all, some] = [certifyDouble(c), certifyDouble(c, { rows })];
      for (const threads of [2, 3]) {
        expect(bits(certifyDouble(c, { threads }))).toEqual(bits(all));
        expect(bits(certifyDouble(c, { rows, threads }))).toEqual(bits(some));
      }
    });
  }

  it('have the same bits on any number of threads over many tiles of rows and keys', () => {
    const rows = someRows(tall);
    const [all, some] = [certifyDouble(tall), certifyDouble(tall, { rows })];
    for (const threads of [2, 5]) {
      expect(bits(certifyDouble(tall, { threads }))).toEqual(bits(all));
      expect(bits(certifyDouble(tall, { rows, threads }))).toEqual(bits(some));
    }
  });

  it('are divided so that threads end together, and no further', () => {
    const p = { ...tall.parameters, seq_q: 1000, seq_kv: 1 };
    const units = (threads: number, first: number, second: number): number => {
      const counts = [first, first, first, second, second, second];
      const rows = headRows(counts.map((n) => Array.from({ length: n }, (_, i) => i)));
      const rest = { columns: null, short: false, known: true };
      const results = newDoubleRows(0, 1);
      const task = { kind: 'forward', rows, threads, results, ...rest } as const;
      return doubleUnitCount({ parameters: p } as KernelProblem, task);
    };
    expect(units(2, 100, 100)).toBe(2);
    expect(units(2, 100, 90)).toBe(2);
    expect(units(2, 100, 10)).toBe(3);
    expect(units(2, 100, 0)).toBe(2);
    expect(units(1, 100, 10)).toBe(2);
    // No more rows in a unit than have room.
    expect(units(1, 1000, 0)).toBe(6);
  });

  it('give each row of each head the numbers of the whole run, and no other row', () => {
    const rows = someRows(tall);
    const [whole, some] = [certifyDouble(tall), certifyDouble(tall, { rows })];
    const { seq_q } = tall.parameters;
    for (const name of ['out', 'lse', 'd_q'] as const) {
      const width = whole[name]!.high.length / (6 * seq_q);
      for (const plane of ['high', 'low'] as const) {
        const expected = rows.rows.flatMap((list, head) =>
          list.flatMap((i) => {
            const at = (head * seq_q + i) * width;
            return [...whole[name]![plane].subarray(at, at + width)];
          }),
        );
        expect([name, plane, [...some[name]![plane]]]).toEqual([name, plane, expected]);
      }
    }
    expect(rows.count).toBeLessThan(3 * seq_q);
  });

  it('give each head the bits that it has alone, radii too', () => {
    const forward = { ...FEATURES, wants: ['out', 'lse'] as OutputName[] };
    for (const shape of [
      { seq_q: 150, seq_kv: 300 },
      { seq_q: 9, seq_kv: 300, softcap: 0 },
    ]) {
      const c = drawCase(8, { ...forward, ...shape });
      const rows = someRows(c);
      const together = certifyDouble(c, { rows });
      for (let head = 0; head < 6; head++) {
        const alone = certifyDouble(c, { rows: oneHeadsRows(rows, head) });
        const [start, count] = [rows.starts[head]!, rows.rows[head]!.length];
        for (const [name, width] of [
          ['out', 3],
          ['lse', 1],
        ] as const) {
          for (const plane of PLANES) {
            const part = together[name]![plane].slice(start * width, (start + count) * width);
            expect([name, head, alone[name]![plane]]).toEqual([name, head, part]);
          }
        }
      }
    }
  });

  it('give wanted columns the numbers of the whole run, and not every other a radius', () => {
    const wants: OutputName[] = ['out', 'lse'];
    for (const changes of [
      { seq_q: 150, seq_kv: 300 },
      { seq_q: 30, seq_kv: 140, softcap: 0, bias: [140] },
      { seq_q: 12, seq_kv: 9, dim_y: 3, bias: [9], window: [3, 1] as [number, number] },
    ]) {
      const c = drawCase(3, { ...FEATURES, head_dim_v: 13, wants, ...changes });
      const rows = someRows(c);
      const columns = Array.from({ length: rows.count }, (_, n) =>
        Array.from({ length: 13 }, (_, column) => column).filter((x) => (x * n + n) % 9 === 4),
      );
      const [all, some] = [certifyDouble(c, { rows }), certifyDouble(c, { rows, columns })];
      expect(bits(certifyDouble(c, { rows, columns, threads: 2 }))).toEqual(bits(some));
      const short = certifyDouble(c, { rows, columns, short: true });
      expect(bits(certifyDouble(c, { rows, columns, short: true, threads: 2 }))).toEqual(
        bits(short),
      );
      expect(bits(short)).not.toEqual(bits(some));
      for (const plane of ['high', 'low'] as const) {
        expect([...some.lse![plane]]).toEqual([...all.lse![plane]]);
      }
      let [wanted, left] = [0, 0];
      for (let n = 0; n < rows.count * 13; n++) {
        if (all.lse!.high[Math.floor(n / 13)] === Number.NEGATIVE_INFINITY) continue;
        const radius = some.out!.radius[n]!;
        // What another row of the part wants is there too.
        if (radius === Number.POSITIVE_INFINITY) {
          expect(columns[Math.floor(n / 13)]).not.toContain(n % 13);
          left++;
          continue;
        }
        wanted++;
        const word = (of: CertifiedDouble) => [n, of.out!.high[n], of.out!.low[n]];
        expect(word(some)).toEqual(word(all));
        // The rows of a part share some of their bounds, and parts are others.
        expect(Math.abs(radius / all.out!.radius[n]! - 1)).toBeLessThan(0.5);
      }
      expect(wanted).toBeGreaterThan(20);
      expect(left).toBeGreaterThan(wanted / 2);
    }
  });

  it('encloses the few open elements of a large case in its columns', () => {
    const open = new Map([
      ['out', [3, 100, 101, 550, 551]],
      ['lse', [4]],
    ] as const) as OpenElements;
    const shape = { seq_q: 12, seq_kv: 40, head_dim_v: 8, bias: [40] };
    const c = drawCase(2, { ...FEATURES, ...shape, wants: ['out', 'lse'] });
    const system = big(60);
    const truth = evaluate(system, c);
    const at = DOUBLE_LEVEL.enclose(c, open, (output) => outputShape(c, output), 'f64');
    const all = certifyDouble(c);
    for (const [name, flats] of open) {
      const exact = toFlat(truth[name] as Tensor<BigNumber>);
      for (const flat of flats) {
        const { lo, hi, rounded } = at(name, flat);
        const value = exact[flat]!;
        expect([name, flat, value.gte(system.fromNumber(lo))]).toEqual([name, flat, true]);
        expect([name, flat, value.lte(system.fromNumber(hi))]).toEqual([name, flat, true]);
        expect(rounded).toBe(all[name]!.high[flat]);
      }
    }
    expect(at('out', 5)).toEqual(UNKNOWN);
  });

  it('have the same bits about maxima that are known already as about those they find', () => {
    for (const c of [
      tall,
      drawCase(4, { ...FEATURES, seq_q: 3, seq_kv: 5, window: [0, 0], bias: [5] }),
      drawCase(4, { ...FEATURES, dim_y: 40, seq_q: 9, seq_kv: 150, bias: [150] }),
    ]) {
      const rows = someRows(c);
      const { seq_q } = c.parameters;
      const found = certifyWithMaxima(c).maxima;
      const maxima: RowMaxima = (head, row) => found[head * seq_q + row];
      const expected = bits(certifyDouble(c, { rows }));
      for (const threads of [1, 2]) {
        expect(bits(certifyDouble(c, { rows, maxima, threads }))).toEqual(expected);
      }
      // One that is not known, and all are found anew.
      const [last] = rows.rows.flatMap((list, head) => list.slice(-1).map((i) => [head, i]));
      const some: RowMaxima = (head, row) =>
        head === last![0] && row === last![1] ? undefined : 1e3;
      expect(bits(certifyDouble(c, { rows, maxima: some }))).toEqual(expected);
    }
    // They are made use of: about another number there are other bits, and about a large one no radius.
    const wrong = certifyDouble(tall, { maxima: () => 300 });
    expect(wrong.out!.radius[9]).toBe(Number.POSITIVE_INFINITY);
  });

  it('get the threads that the oracle is given, and the maxima of its rows', () => {
    const enclose = vi.spyOn(DOUBLE_LEVEL, 'enclose');
    const c = drawCase(6, { ...FEATURES, seq_q: 9, seq_kv: 70, bias: [1, 6, 1, 70] });
    const [one, two] = [1, 2].map((threads) => oracle(c, { format: 'f64', threads }));
    expect(enclose.mock.calls.map((call) => call[4]?.threads)).toEqual([1, 2]);
    const { maxima } = certifyWithMaxima(c);
    for (const call of enclose.mock.calls) {
      expect(Array.from(maxima, (_, n) => call[4]?.maxima?.(Math.floor(n / 9), n % 9))).toEqual([
        ...maxima,
      ]);
    }
    const few = oracle(c, { format: 'f64', rows: [2, 7] });
    const last = enclose.mock.lastCall?.[4]?.maxima;
    expect([last?.(5, 7), last?.(0, 2), last?.(0, 3)]).toEqual([maxima[52], maxima[2], undefined]);
    expect(few.decidedBy['double-double']).toBeGreaterThan(10);
    enclose.mockRestore();
    expect(one!.decidedBy['double-double']).toBeGreaterThan(100);
    for (const name of ['out', 'lse', 'd_q', 'd_k', 'd_v'] as const) {
      for (const part of ['values', 'lo', 'hi'] as const) {
        expect([name, two![part][name]?.data]).toEqual([name, one![part][name]?.data]);
      }
    }
  });
});
