/**
 * Whatever names the command line is given (words, files, fields of a case, a candidate's command), no
 * control character of them and none that is not seen reaches what is printed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeCase } from '../reference/files/case-folder.ts';
import { smallCase } from './testing/cases.ts';
import { printedWord } from './text.ts';

const CLI = fileURLToPath(new URL('../dist/gate/cli.js', import.meta.url));
const FAKE = fileURLToPath(new URL('./testing/fake-candidate.mjs', import.meta.url));
/** Red, a turn of the writing and its end, a bell, a clear screen, a tag, an invisible space, a mark of bytes. */
const EVIL = 'e\u001b[31mv\u202ei\u2066l\u0007\u009b2J\u{e0041}\u200b\ufeff';
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
const HIDDEN = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\ufeff]|(?![\u200c\u200d])\p{Cf}/u;

let root = '';
const folder = (name: string): string => path.join(root, name);

/** A case folder with an evil name, `change` made to its case.json. */
function evilCase(name: string, change: (text: string) => string): void {
  cpSync(folder('case'), folder(name + EVIL), { recursive: true });
  const file = path.join(folder(name + EVIL), 'case.json');
  writeFileSync(file, change(readFileSync(file, 'utf8')));
}

beforeAll(() => {
  root = mkdtempSync(path.join(tmpdir(), 'xattn-names-'));
  writeCase(folder('case'), smallCase('t/small'));
  evilCase('id', (text) => JSON.stringify({ ...JSON.parse(text), id: EVIL }));
  evilCase('field', (text) => JSON.stringify({ ...JSON.parse(text), [EVIL]: 1 }));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Ended {
  readonly status: number | null;
  readonly printed: string;
}

function xattn(args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [CLI, ...args], { cwd: root });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
  }
  return new Promise((resolve) => child.on('close', (status) => resolve({ status, printed })));
}

describe('what is printed', () => {
  it.each([
    ['a command', [EVIL]],
    ['a choice', ['gate', '--suite', EVIL]],
    ['a file', ['plan', '--model', `${EVIL}.json`]],
    ['a folder', ['judge', EVIL]],
    ['the id of a case', ['oracle', `id${EVIL}`]],
    ['a field of a case', ['oracle', `field${EVIL}`]],
  ])('has no hidden character of %s', async (_, args) => {
    const { status, printed } = await xattn(args);
    expect(status).toBe(2);
    expect(HIDDEN.exec(printed)).toBeNull();
  });

  it('has none of the command of a candidate, which fails or never starts', async () => {
    const only = ['gate', '--only', 'smoke/basic/one-query-one-key', '--out', 'out', '--candidate'];
    const [failed, absent] = await Promise.all([
      xattn([...only, `'${process.execPath}' '${FAKE}' wrong '' '${EVIL}'`]),
      xattn([...only.slice(0, 3), '--candidate', EVIL]),
    ]);
    expect([failed.status, absent.status]).toEqual([1, 3]);
    expect(failed.printed).toContain("--candidate $'");
    for (const { printed } of [failed, absent]) expect(HIDDEN.exec(printed)).toBeNull();
  });

  it('has commands to repeat that a shell takes for what was given', () => {
    for (const word of [EVIL, `it's\n\\${EVIL}`]) {
      expect(HIDDEN.exec(printedWord(word))).toBeNull();
      const echoed = spawnSync('bash', ['-c', `printf %s ${printedWord(word)}`], {
        encoding: 'utf8',
        env: { ...process.env, LC_ALL: 'C.UTF-8' },
      });
      expect(echoed.stdout).toBe(word);
    }
    expect(printedWord('my kernel')).toBe("'my kernel'");
  });
});
