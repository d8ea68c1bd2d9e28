/**
 * What benchmarks are asked for is checked before they begin.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const bench = (name: string, ...args: string[]) => {
  const file = fileURLToPath(new URL(`../../dist/gate/${name}.js`, import.meta.url));
  return spawnSync(process.execPath, [file, ...args], { encoding: 'utf8' });
};

describe('benchmarks', () => {
  for (const [name, option, given] of [
    ['bench/distributed', '--repeats', 'x'],
    ['bench/distributed', '--device', 'abacus'],
    ['bench/simulation', '--ranks', 'abc'],
    ['bench/simulation', '--schedule', 'star'],
    ['bench/simulation', '--nothing', '1'],
    ['power', '--brief', '--quick'],
  ] as const) {
    it(`${name} refuses ${option} ${given} with a sentence and status 2`, () => {
      const { status, stdout, stderr } = bench(name, option, given);
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr).toMatch(new RegExp(`^error: .*${option}.*\\n$`));
    });
  }

  it('explain themselves', () => {
    for (const name of ['bench/distributed', 'bench/simulation', 'power']) {
      const { status, stdout, stderr } = bench(name, '--help');
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toMatch(/^Usage: npm run (bench:\w+|power) -- \[options\]/);
    }
  });
});
