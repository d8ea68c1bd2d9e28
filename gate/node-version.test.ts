import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NODE_MIN, tooOld } from './node-version.ts';

const root = join(import.meta.dirname, '..');

describe('the version of Node', () => {
  it('is refused with a sentence where it is too old', () => {
    expect(tooOld('18.20.8')).toBe(
      'xattn: expected Node 20.16 or newer, got Node 18.20.8; see https://nodejs.org',
    );
    expect(tooOld('20.15.1')).toContain('got Node 20.15.1');
    expect(tooOld('9.0.0')).toContain('got Node 9.0.0');
    for (const version of ['20.16.0', '20.20.2', '22.3.0', '100.1.0'])
      expect(tooOld(version)).toBeNull();
  });

  it('is what the package says', () => {
    const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect(engines.node).toBe(`>=${NODE_MIN}`);
  });

  it('is looked at before anything else is loaded', () => {
    const text = readFileSync(join(root, 'gate/cli.ts'), 'utf8');
    expect(/^import .*$/m.exec(text)?.[0]).toBe("import './node-version.ts';");
  });
});
