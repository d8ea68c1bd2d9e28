/**
 * The theory builds, holds the theorems that trace.json names, and rests on the axioms of the reals;
 * and a broken theorem, a changed constant or a proof that is none makes the check fail.
 */
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { describeWithTools } from '../tools.ts';
import { claimsOf, readTrace } from '../trace.ts';

const THEORY = import.meta.dirname;
const folders: string[] = [];

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** check.sh on a folder: its exit status and all that it says. */
function check(folder: string): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve) => {
    const args = [join(THEORY, 'check.sh'), folder];
    execFile('bash', args, { encoding: 'utf8', maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      const status = error === null ? 0 : Number(error.code ?? 1);
      resolve({ status, text: stdout + stderr });
    });
  });
}

/** A copy of some files of the theory, changed, in a folder of its own. */
function copyOf(
  files: readonly string[],
  change: Readonly<Record<string, [string, string]>>,
): string {
  const folder = mkdtempSync(join(tmpdir(), 'xattn-theory-'));
  folders.push(folder);
  cpSync(join(THEORY, 'assumptions.txt'), join(folder, 'assumptions.txt'));
  writeFileSync(join(folder, '_CoqProject'), ['-Q . Xattn', ...files, ''].join('\n'));
  for (const file of files) {
    const text = readFileSync(join(THEORY, file), 'utf8');
    const [from, to] = change[file] ?? ['', ''];
    expect(text).toContain(from);
    writeFileSync(join(folder, file), text.replace(from, to));
  }
  return folder;
}

/** A file with one theorem that rests on the axioms of the reals, and perhaps on more. */
const REALS = `From Coq Require Import Reals Lra FunctionalExtensionality Classical.
Open Scope R_scope.
Theorem one : forall x : R, x + 0 = x /\\ (forall f g : R -> R, (forall y, f y = g y) -> f = g)
  /\\ (forall P : Prop, P \\/ ~ P).
Proof. intros x. split; [lra | split; [intros; apply functional_extensionality; assumption |]].
  apply classic. Qed.
`;
const NOT_OF_ONE = 'ClassicalDedekindReals.sig_not_dec';
const MORE = `From Coq Require Import ProofIrrelevance.
Theorem two : forall (P : Prop) (a b : P), a = b.
Proof. apply proof_irrelevance. Qed.
`;

function written(files: Readonly<Record<string, string>>, listed: readonly string[]): string {
  const folder = copyOf([], {});
  const axioms = readFileSync(join(THEORY, 'assumptions.txt'), 'utf8').split('\n');
  const own = axioms.filter((name) => name !== NOT_OF_ONE);
  expect(own.length).toBe(axioms.length - 1);
  writeFileSync(join(folder, 'assumptions.txt'), own.join('\n'));
  writeFileSync(join(folder, '_CoqProject'), ['-Q . Xattn', ...listed, ''].join('\n'));
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  return folder;
}

describeWithTools('the theory', ['coqc'], () => {
  it('builds, holds every theorem of trace.json, and rests on the listed axioms alone', async () => {
    const { status, text } = await check(THEORY);
    const [counted] = /^coq: \d+ theorems checked, 0 failed$/m.exec(text) ?? [];
    expect(counted, text).toBeDefined();
    expect(status).toBe(0);
    console.log(counted); // .ci/run counts them
    const built = [...text.matchAll(/^coq: ([A-Za-z]+): (.*)$/gm)].flatMap(
      ([, module, names = '']) => names.split(' ').map((name) => `${module}.${name}`),
    );
    const named = claimsOf(readTrace()).flatMap(({ proved = [] }) => proved);
    expect(built.sort()).toEqual(named.sort());
  });
});

describeWithTools('the check of the theory', ['coqc'], () => {
  it('passes a folder in which all is well', async () => {
    const { status, text } = await check(written({ 'Reals.v': REALS }, ['Reals.v']));
    expect(text).toMatch('coq: 1 theorems checked, 0 failed');
    expect(status).toBe(0);
  });

  it('fails with a theorem that says something else', async () => {
    const wrong = {
      'Merge.v': ["finish (rebase m' p) = finish p", "finish (rebase m' p) = None"] as [
        string,
        string,
      ],
    };
    const folder = copyOf(['Merge.v'], wrong);
    const { status, text } = await check(folder);
    expect(text).toMatch('coq: the theory does not check');
    expect(status).toBe(1);
  });

  it('fails with a changed constant of the kernels', async () => {
    const text = readFileSync(join(THEORY, 'Constants.v'), 'utf8');
    const [constant = ''] = /Definition LN2_LOW : R := \d+/.exec(text) ?? [];
    const wrong = { 'Constants.v': [constant, `${constant}1`] as [string, string] };
    const found = await check(copyOf(['Constants.v', 'Kernels.v'], wrong));
    expect(found.text).toMatch('coq: the theory does not check');
    expect(found.status).toBe(1);
  });

  it('fails with a proof that is given up, and with an axiom', async () => {
    for (const [from, to] of [
      ['Qed.', 'Admitted.'],
      ['Theorem one', 'Axiom one'],
    ] as const) {
      const folder = written({ 'Reals.v': REALS.replace(from, to) }, ['Reals.v']);
      const { status, text } = await check(folder);
      expect(text).toMatch('coq: the lines above are not proofs');
      expect(status).toBe(1);
    }
  });

  it('fails with a theorem that rests on more', async () => {
    const { status, text } = await check(written({ 'Reals.v': REALS + MORE }, ['Reals.v']));
    expect(text).toMatch('coq: the theorems rest on other axioms');
    expect(text).toMatch('proof_irrelevance');
    expect(status).toBe(1);
  });

  it('fails with a file that nothing builds', async () => {
    const files = { 'Reals.v': REALS, 'More.v': MORE };
    const { status, text } = await check(written(files, ['Reals.v']));
    expect(text).toMatch('coq: not listed in _CoqProject: More.v');
    expect(status).toBe(1);
  });
});
