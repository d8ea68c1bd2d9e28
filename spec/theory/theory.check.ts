/**
 * The theory builds, holds the theorems that trace.json names, says what statements/ has of them, and
 * rests on the axioms of the reals; and a broken theorem, a changed constant, a proof that is none, a
 * hypothesis more or another definition makes the check fail.
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
function check(
  folder: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve) => {
    const args = [join(THEORY, 'check.sh'), folder];
    const env = { ...process.env, XATTN_UPDATE: '', XATTN_BUILD: '', ...variables };
    const options = { encoding: 'utf8', maxBuffer: 1 << 26, env } as const;
    execFile('bash', args, options, (error, stdout, stderr) => {
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

/** A file with two theorems that rest on the axioms of the reals, and perhaps on more. */
const REALS = `From Coq Require Import Reals Lra FunctionalExtensionality Classical.
Open Scope R_scope.
Definition nothing : R := 0.
Definition same (x y : R) : Prop := x + nothing = y.
Theorem one : forall x : R, same x x /\\ (forall f g : R -> R, (forall y, f y = g y) -> f = g)
  /\\ (forall P : Prop, P \\/ ~ P).
Proof. split; [unfold same, nothing; lra |].
  split; [intros; apply functional_extensionality; assumption |]. apply classic. Qed.
Theorem none : forall x : R, x * nothing = nothing.
Proof. intros. unfold nothing. lra. Qed.
`;
const NOT_OF_ONE = 'ClassicalDedekindReals.sig_not_dec';
const MORE = `From Coq Require Import ProofIrrelevance.
Theorem unique : forall (P : Prop) (a b : P), a = b.
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

/** A folder whose theory is right and whose statements were accepted. */
async function accepted(): Promise<string> {
  const folder = written({ 'Reals.v': REALS }, ['Reals.v']);
  const { status, text } = await check(folder, { XATTN_UPDATE: '1' });
  expect([status, text]).toEqual([0, expect.stringContaining('0 failed')]);
  return folder;
}

describeWithTools('the check of the theory', ['coqc'], () => {
  it('passes a folder in which all is well', async () => {
    const folder = await accepted();
    const { status, text } = await check(folder);
    expect(text).toMatch('coq: 2 theorems checked, 0 failed');
    expect(status).toBe(0);
    const said = readFileSync(join(folder, 'statements/Reals.txt'), 'utf8');
    for (const name of ['one', 'none', 'same', 'nothing']) expect(said).toMatch(`Reals.${name}`);
  });

  /** Each change leaves a theory that Coq accepts, on the same axioms. */
  const WEAKER: Readonly<Record<string, readonly [string, string]>> = {
    'a theorem that a false hypothesis makes vacuous': ['x : R, same', 'x : R, x < x -> same'],
    'a definition, in a definition, that means something else': ['R := 0.', 'R := 1 - 1.'],
    'a definition that every two numbers satisfy': ['= y.', '= y \\/ True.'],
    'a theorem that is gone': ['Theorem none', 'Lemma none'],
  };
  for (const [what, [from, to]] of Object.entries(WEAKER)) {
    it(`fails with ${what}`, async () => {
      const folder = await accepted();
      const changed = REALS.replace(from, to).replace(
        'unfold same, nothing; lra',
        'intros; unfold same, nothing; try left; lra',
      );
      expect(changed).toContain(to);
      writeFileSync(join(folder, 'Reals.v'), changed);
      const { status, text } = await check(folder);
      expect(text).toMatch('coq: the theorems say something else than statements/');
      expect(text).toMatch('+++ statements/Reals.txt');
      expect(status).toBe(1);
    });
  }

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
