import { describe, expect, it } from 'vitest';
import { doctorReport } from './commands/doctor.ts';
import { CHECKS, type Check, examineAll } from './doctor.ts';

const check = (name: string, required: boolean, probe: Check['probe']): Check => ({
  name,
  purpose: 'a purpose',
  required,
  remedy: 'a remedy',
  probe,
});

describe('doctor', () => {
  it('says what works, what is absent, and what is missing', async () => {
    const findings = await examineAll([
      check('one', true, () => '1.0'),
      check('two', false, () => {
        throw new Error('two does not start\nand a stack');
      }),
      check('three', true, () => Promise.reject(new Error('no'))),
    ]);
    expect(doctorReport(findings)).toMatchInlineSnapshot(`
      "         what   for        found
      works    one    a purpose  1.0
      absent   two    a purpose  two does not start; a remedy
      MISSING  three  a purpose  no; a remedy
      Required, and missing: three.
      "
    `);
  });

  it('tries everything that is required, and it works here', async () => {
    const required = CHECKS.filter((one) => one.required);
    expect(required.length).toBeGreaterThanOrEqual(5);
    for (const { name, works, found } of await examineAll(required)) {
      expect(works, `${name}: ${found}`).toBe(true);
    }
  });
});
