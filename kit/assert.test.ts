/** The Python kit in tests of one's own, run by pytest as a user would. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const python = process.env.XATTN_PYTHON ?? 'python3';
const hasPytest = spawnSync(python, ['-c', 'import numpy, pytest, hypothesis']).status === 0;
const required = process.env.XATTN_REQUIRE_TOOLS === '1';
const scratch = mkdtempSync(join(tmpdir(), 'xattn-assert-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

if (!hasPytest && !required) {
  console.warn(`SKIPPED: the Python assertion is not tested, ${python} lacks pytest or hypothesis`);
}

/** What pytest says of files of kit/python: its exit status and its last line. */
function pytest(...files: string[]): { status: number | null; said: string } {
  const args = ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', '-rs'];
  const { status, stdout } = spawnSync(
    python,
    [...args, ...files.map((name) => join(root, 'kit/python', name))],
    {
      cwd: scratch,
      encoding: 'utf8',
      env: {
        ...process.env,
        XATTN_COMMAND: `'${process.execPath}' '${join(root, 'dist/gate/xattn.js')}'`,
        PYTHONDONTWRITEBYTECODE: '1',
      },
    },
  );
  return { status, said: stdout };
}

describe.skipIf(!hasPytest && !required)('the Python kit under pytest', () => {
  it('assert_attention passes what is right and names what is wrong', () => {
    const { status, said } = pytest('test_assert_attention.py');
    expect(said).toMatch(/^(2[5-9]|[3-9]\d) passed/m);
    expect(said).not.toMatch(/failed/);
    expect(status).toBe(0);
  });

  it('the plugin has a fixture, a report and drawn cases', () => {
    const { status, said } = pytest('test_xattn_pytest.py');
    expect(said).toMatch(/^4 passed/m);
    expect(status).toBe(0);
  });
});
