import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type CaseChanges, drawCase } from '../../case/draw-case.ts';
import { rangedTensor, type Tensor, toFlat } from '../../numbers/tensor.ts';
import { certifyDouble } from '../double/double-certify.ts';
import { kernelModule } from '../module.ts';
import { GROUP, kernelProblem, readRows, TILE } from '../walk/problem.ts';
import { reusedRoom } from '../walk/room.ts';
import type { RowReader } from '../walk/source.ts';
import { type Certified, certify } from './certify.ts';
import { keyReaders } from './features.ts';
import { forwardBlock } from './forward.ts';
import { forwardByParts } from './forward-parts.ts';
import { findKeyErrors, keyUnits, newKeyErrors } from './key-sizes.ts';
import { addTerms, partialProduct, transposed, wholeProduct } from './matrix.ts';
import { emptyResults, ROW_BLOCK, type RowPart } from './row-blocks.ts';

/** Of the bits of an array. */
const digest = (data: ArrayLike<number>): string =>
  createHash('sha256')
    .update(new Uint8Array(Float64Array.from(data).buffer))
    .digest('hex');

const plain = (length: number) => new Float64Array(length);

/** The case as the kernels see it, its errors found. */
function problemOf(c: ReturnType<typeof drawCase>) {
  const [errors, room] = [newKeyErrors(c, plain), reusedRoom()];
  for (let n = 0; n < keyUnits(c.parameters); n++) findKeyErrors({ ...c, room }, errors, n);
  return kernelProblem(c, keyReaders(c), errors);
}

/** The same case, its features in storage that is read in ranges. */
function inRanges(c: ReturnType<typeof drawCase>) {
  const inputs = { ...c.inputs };
  for (const name of ['y', 'w_k', 'w_v'] as const) {
    const data = Float64Array.from(toFlat(c.inputs[name]!));
    const read = (start: number, target: Float64Array) =>
      target.set(data.subarray(start, start + target.length));
    const storage = { length: data.length, format: null, get: (n: number) => data[n]!, read };
    inputs[name] = rangedTensor(storage, c.inputs[name]!.shape);
  }
  return { ...c, inputs };
}

describe('recomputed keys', () => {
  const shape = { dim_y: 3, batch: 2, heads: 4, kv_heads: 2, gradients: false };
  // Neither a multiple of anything; more keys than errors are found of at a time.
  const c = drawCase(3, { ...shape, seq_q: 1, seq_kv: 701, head_dim: 5, head_dim_v: 3 });
  const { parameters: p } = c;
  const { k, v, keyErrors } = problemOf(c);
  const everyKey = Array.from({ length: p.seq_kv }, (_, j) => j);

  const rowsOf = (reader: RowReader, b: number, g: number, keys: readonly number[]) => {
    const rows = new Float64Array(keys.length * reader.width);
    readRows(reader, b, g, keys, rows, reader.width);
    return rows;
  };

  it('are the rows of Y W of each head, within their errors, and those are small', () => {
    const { y, w_k, w_v } = c.inputs;
    for (let head = 0; head < 4; head++) {
      const [b, g] = [Math.floor(head / 2), head % 2];
      for (const [reader, w, errors, norms] of [
        [k, w_k!, keyErrors!.key, keyErrors!.keyNorm],
        [v, w_v!, keyErrors!.value, keyErrors!.valueNorm],
      ] as const) {
        rowsOf(reader, b, g, everyKey).forEach((x, n) => {
          const [j, e] = [Math.floor(n / reader.width), n % reader.width];
          const terms = [0, 1, 2].map((t) => y!.get(b, j, t) * w.get(t, g * reader.width + e));
          const off = Math.abs(x - (terms[0]! + terms[1]! + terms[2]!));
          const bound = errors[head * reader.width + e]!;
          // The sum here is itself off by as much.
          if (off > 2 * bound || bound > 1e-12) throw new Error(`${[head, j, e]}: ${off} ${bound}`);
          if (bound > norms[head]!) throw new Error(`${head}: ${bound}`);
        });
      }
    }
  });

  it('are the same whichever are read together, and where rows are longer', () => {
    const whole = rowsOf(k, 1, 1, everyKey);
    const few = [0, 3, 127, 128, 700];
    expect([...rowsOf(k, 1, 1, few)]).toEqual(
      few.flatMap((j) => [...whole.subarray(j * 5, j * 5 + 5)]),
    );
    const row = new Float64Array(7);
    k.row(1, 1, 128, row, 1);
    expect([...row]).toEqual([0, ...whole.subarray(640, 645), 0]);
    const wide = new Float64Array(16);
    readRows(k, 1, 1, [128, 3], wide, 8);
    expect([...wide.subarray(0, 5)]).toEqual([...whole.subarray(640, 645)]);
    expect([...wide.subarray(8, 13)]).toEqual([...whole.subarray(15, 20)]);
  });

  it('have the same bits when the features are read in ranges', () => {
    const ranged = problemOf(inRanges(c));
    expect(rowsOf(ranged.k, 1, 0, everyKey)).toEqual(rowsOf(k, 1, 0, everyKey));
    expect(rowsOf(ranged.v, 0, 1, everyKey)).toEqual(rowsOf(v, 0, 1, everyKey));
    expect(ranged.keyErrors).toEqual(keyErrors);
  });
});

describe('the forward pass over recomputed keys', () => {
  // Three parts of the keys, the last of them short; maxima that rise from part to part.
  const long = 2 * GROUP * TILE + 300;
  const changes: CaseChanges = {
    ...{ dim_y: 3, batch: 1, heads: 6, kv_heads: 1, seq_q: 130, seq_kv: long, scale: 1 },
    ...{ head_dim: 6, head_dim_v: 3, gradients: false, causal: 'bottom-right' },
    ...{ bias: [1, 1, 1, long], window: [9000, long] },
    adjust: ({ bias }) => {
      for (let j = 0; j < long; j++)
        bias?.set(0, 0, 0, j, j % 1000 === 7 ? Math.fround(j / 400) : 0);
    },
  };

  it.each([
    [false, false],
    [true, true],
  ])('has the bits of each block by itself: sink %s, sizes %s', (sink, sized) => {
    const c = drawCase(6, { ...changes, sink });
    const problem = problemOf(c);
    const tiles = Array.from({ length: 6 }, (_, h): RowPart[] => [
      { h, rows: Array.from({ length: TILE }, (_, i) => i), at: h * 130 },
      { h, rows: [128, 129], at: h * 130 + TILE },
    ]).flat();
    const blocks = [tiles.slice(0, 3), tiles.slice(3, 7), tiles.slice(7)];
    expect(blocks.every((b) => b.flatMap(({ rows }) => rows).length < 2 * ROW_BLOCK)).toBe(true);
    const [together, alone] = [0, 1].map(() => emptyResults(6 * 130, 3, plain, sized));
    forwardByParts(kernelModule(), problem, [0, 0], blocks, together!);
    for (const block of blocks) forwardBlock(kernelModule(), problem, [0, 0], block, alone!);
    expect(together).toEqual(alone);
    expect(together!.out.some((x) => x !== 0)).toBe(true);
    expect(together!.outRadius.every((r) => r < 1)).toBe(true);
  });
});

describe('the backward pass over recomputed keys', () => {
  // Two parts of the keys and two slabs of features, the last of each short.
  const shape = { batch: 2, heads: 2, kv_heads: 2, seq_q: 3, head_dim: 128, head_dim_v: 128 };
  const c = drawCase(8, { ...shape, dim_y: 515, seq_kv: 1100, scale: 0.002 });
  const certified = certify(c);
  const bytes = (given: Certified) =>
    Object.entries(given).map(([name, { mid, radius }]) => [
      name,
      ...[mid, radius].map(({ data }) => digest(data as Float64Array)),
    ]);

  const double = certifyDouble(c);

  it('encloses what double-double finds, part by part, and is not far wider', () => {
    for (const [name, { mid, radius }] of Object.entries(certified)) {
      const { high, low, radius: rest } = double[name as keyof typeof double]!;
      const radii = radius.data as Float64Array;
      let worst = 0;
      (mid.data as Float64Array).forEach((x, n) => {
        if (!(rest[n]! < radii[n]! * 2 ** -20)) throw new Error(`${name}[${n}]: ${rest[n]}`);
        worst = Math.max(worst, Math.abs(x - high[n]! - low[n]!) / radii[n]!);
      });
      expect([name, worst < 1 - 2 ** -20, worst > 1e-6]).toEqual([name, true, true]);
    }
  });

  it('gives dQ, dK and dV the bits that they have where nothing goes on', () => {
    const wants = ['d_q', 'd_k', 'd_v'] as const;
    const alone = certify({ ...c, parameters: { ...c.parameters, wants: [...wants] } });
    for (const name of wants) {
      expect(digest(certified[name]!.mid.data)).toBe(digest(alone[name]!.mid.data));
      expect(digest(certified[name]!.radius.data)).toBe(digest(alone[name]!.radius.data));
    }
  });

  it('gives them the same bits in double-double too', () => {
    const wants = ['d_q', 'd_k', 'd_v'] as const;
    const alone = certifyDouble({ ...c, parameters: { ...c.parameters, wants: [...wants] } });
    for (const name of wants) {
      for (const plane of ['high', 'low', 'radius'] as const) {
        expect(digest(double[name]![plane])).toBe(digest(alone[name]![plane]));
      }
    }
  });

  it('counts for dW the roundings of all parts', () => {
    const { batch, kv_heads, seq_kv, head_dim } = c.parameters;
    const { mid, radius } = certified.d_k!;
    const [rows, columns] = [batch * seq_kv, kv_heads * head_dim];
    const byKey = ({ data }: Tensor): Float64Array =>
      Float64Array.from({ length: rows * columns }, (_, n) => {
        const [row, g, e] = [
          Math.floor(n / columns),
          Math.floor(n / head_dim) % kv_heads,
          n % head_dim,
        ];
        const [b, j] = [Math.floor(row / seq_kv), row % seq_kv];
        return data[((b * kv_heads + g) * seq_kv + j) * head_dim + e]!;
      });
    const gradient = { rows, columns, value: byKey(mid), error: byKey(radius) };
    const y = { rows, columns: 515, value: Float64Array.from(toFlat(c.inputs.y!)), error: null };
    const product = partialProduct(515 * columns, rows);
    addTerms(kernelModule(), product, transposed(y), gradient);
    const whole = wholeProduct(product);
    const radii = certified.d_w_k!.radius.data;
    // Only the order in which errors are added is another.
    const off = whole.error.map((error, n) => Math.abs(radii[n]! / error - 1));
    expect(Math.max(...off.subarray(0, 1e5))).toBeLessThan(1e-6);
  });

  it('gives the same bits on two threads, and when the features are read in ranges', () => {
    expect(bytes(certify(c, { threads: 2 }))).toEqual(bytes(certified));
    expect(bytes(certify(inRanges(c)))).toEqual(bytes(certified));
  });
});
