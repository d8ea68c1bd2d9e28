/**
 * The constants and the functions that DoubleKernels.v is about are those of the two sources.
 *
 * XATTN_UPDATE=1 writes DoubleConstants.v anew; then see that DoubleKernels.v still models what is
 * quoted there.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { doubleConstantsFile } from './double-constants.ts';

const target = join(import.meta.dirname, 'DoubleConstants.v');
const source = (path: string): string =>
  readFileSync(join(import.meta.dirname, '../../reference', path), 'utf8');
const library = source('numbers/double-double.ts');
const assembly = source('kernels/assembly/double-double.ts');
const written = doubleConstantsFile(library, assembly);

/** A text with one piece of it, which must be there, exchanged. */
function changed(text: string, from: string, to: string): string {
  expect(text).toContain(from);
  return text.replace(from, to);
}

describe('DoubleConstants.v', () => {
  it('is written from both sources as they stand', () => {
    if (process.env.XATTN_UPDATE === '1') writeFileSync(target, written);
    expect(readFileSync(target, 'utf8')).toBe(written);
  });

  it('changes with one bit of a constant of the kernels', () => {
    for (const [from, to] of [
      ['2.0655512752830', '2.0655512752832'],
      ['9.183689863795546e-29', '9.183689863795548e-29'],
    ] as const) {
      expect(doubleConstantsFile(library, changed(assembly, from, to))).not.toBe(written);
    }
  });

  it('changes with an operation of either, not only with a number', () => {
    const reversed = changed(library, 'add(mul(sum, r), INVERSE', 'add(mul(r, sum), INVERSE');
    expect(doubleConstantsFile(reversed, assembly)).not.toBe(written);
    const early = changed(assembly, 'addNumberHigh(bh, bl, k3)', 'addNumberHigh(ah, al, k3)');
    expect(doubleConstantsFile(library, early)).not.toBe(written);
  });

  it('refuses sources that differ in ln 2, or in which a constant cannot be found', () => {
    const other = changed(assembly, '5.8029889835956905e-25', '5.8029889835956915e-25');
    expect(() => doubleConstantsFile(library, other)).toThrow('another ln 2');
    const moved = changed(assembly, '2.065551275283075e-28, 8)', '2.065551275283075e-28, 16)');
    expect(() => doubleConstantsFile(library, moved)).toThrow('not stored in order');
    const renamed = changed(library, 'const LOG2_E =', 'let LOG2_E =');
    expect(() => doubleConstantsFile(renamed, assembly)).toThrow('LOG2_E');
  });
});
