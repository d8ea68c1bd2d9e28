/**
 * The constants and the functions that Kernels.v is about are those of float64.ts.
 *
 * XATTN_UPDATE=1 writes Constants.v anew; then see that Kernels.v still models what is quoted there.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { constantsFile } from './kernel-constants.ts';

const target = join(import.meta.dirname, 'Constants.v');
const source = readFileSync(
  join(import.meta.dirname, '../../reference/numbers/float64.ts'),
  'utf8',
);

/** The source with one piece of text, which must be there, exchanged. */
function changed(from: string, to: string): string {
  expect(source).toContain(from);
  return source.replace(from, to);
}

describe('Constants.v', () => {
  it('is written from float64.ts as it stands', () => {
    if (process.env.XATTN_UPDATE === '1') writeFileSync(target, constantsFile(source));
    expect(readFileSync(target, 'utf8')).toBe(constantsFile(source));
  });

  it('changes with one bit of a constant', () => {
    const [, low = ''] = /^const LN2_LOW = ([-0-9.e]+);$/m.exec(source) ?? [];
    const next = changed(`LN2_LOW = ${low}`, `LN2_LOW = ${Number(low) * (1 + 2 ** -52)}`);
    expect(constantsFile(next)).not.toBe(constantsFile(source));
  });

  it('changes with an operation, not only with a number', () => {
    const [, step = ''] = /(series = \(series \+ 1 \/ n\) \* z;)/.exec(source) ?? [];
    expect(() => constantsFile(changed(step, 'series = series * z + z / n;'))).toThrow('series');
    const reversed = changed('return x * powerOfTwo(k);', 'return powerOfTwo(k) * x;');
    expect(constantsFile(reversed)).not.toBe(constantsFile(source));
  });

  it('refuses a source in which a constant cannot be found', () => {
    expect(() => constantsFile(changed('const LOG2_E =', 'let LOG2_E ='))).toThrow('LOG2_E');
  });
});
