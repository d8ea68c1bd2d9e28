import { expect, it } from 'vitest';
import { kernelModule } from '../module.ts';
import { addSliced, cut, slicedSize } from './double-slices.ts';

/** Doubles at the start of the memory that the products keep to themselves, and what a missing lane reads. */
const SCRATCH = 1024 / 8;

/** An odd whole number of so many bits. */
const whole = (bits: number, n: number): number =>
  2 ** (bits - 1) + 2 * Math.floor(((n * 0.618) % 1) * 2 ** (bits - 2)) + 1;

it('products of slices are exact whichever slices the lanes of a panel have', () => {
  const kernels = kernelModule();
  const depth = 131; // two sums
  // Bits of each lane: panels whose lanes differ, and panels that are not full.
  const patterns = [
    [[20], [20]],
    [[20, 20, 53, 53], [40]],
    [
      [53, 53, 20, 20, 20, 40],
      [20, 20, 40, 40, 20, 20, 20],
    ],
    [
      [20, 53, 53, 20, 53],
      [40, 20, 20, 40, 20, 20, 20, 20, 40],
    ],
    [
      [40, 40],
      [20, 40, 20],
    ],
  ] as const;
  for (const [left, right] of patterns) {
    const [rows, columns] = [left.length, right.length];
    const t = kernels.layOut({
      a: rows * depth,
      b: columns * depth,
      aSlices: slicedSize(rows, depth),
      bSlices: slicedSize(columns, depth),
      high: 12 * 12,
      low: 12 * 12,
    });
    left.forEach((bits, r) => {
      for (let k = 0; k < depth; k++) t.a.view[r * depth + k] = whole(bits, r + 3 * k);
    });
    right.forEach((bits, c) => {
      for (let k = 0; k < depth; k++) t.b.view[k * columns + c] = -whole(bits, 7 * c + k);
    });
    // What others left in the room.
    t.aSlices.view.fill(Number.NaN);
    t.bSlices.view.fill(Number.NaN);
    new Float64Array(t.a.view.buffer, 0, SCRATCH).fill(Number.NaN);
    const a = cut(kernels, { high: t.a.at, low: 0 }, [depth, 1], rows, depth, t.aSlices.at);
    const b = cut(kernels, { high: t.b.at, low: 0 }, [1, columns], columns, depth, t.bSlices.at);
    addSliced(kernels, a, b, [rows, columns, 12], { high: t.high.at, low: t.low.at });
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) {
        let exact = 0n;
        for (let k = 0; k < depth; k++) {
          exact += BigInt(t.a.view[r * depth + k]!) * BigInt(t.b.view[k * columns + c]!);
        }
        const [high, low] = [t.high.view[r * 12 + c]!, t.low.view[r * 12 + c]!];
        expect([r, c, BigInt(high) + BigInt(low)]).toEqual([r, c, exact]);
      }
    }
  }
});
