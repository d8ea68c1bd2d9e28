/**
 * A report for the tests of the printers: one failing case kept in a folder, with errors planted at
 * known places, and texts that try to break out of whatever they are printed in.
 * @module
 */
import path from 'node:path';
import { PROFILES } from '../../reference/bounds/lemmas/profile.ts';
import { validateCase } from '../../reference/case/validate.ts';
import { referenceOutputs } from '../../reference/definition/reference.ts';
import { readCase, writeCase, writeOutputs } from '../../reference/files/case-folder.ts';
import { readOutputs } from '../../reference/files/given-outputs.ts';
import { judge, type Verdict } from '../../reference/verdict/judge.ts';
import { type Report, type ReportedCase, summaryOf } from '../report.ts';
import { smallCase } from './cases.ts';

/** Markup, an end of a script, a command of GitHub's, an escape sequence, a turned direction. */
export const HOSTILE =
  '</script><img src=x onerror="document.title=1">\n::error::x\u001b[31m\u202e&amp;<!--\']]>';

/** Planted: row 2 of head 1 of out, which is rank 1's, is off by a thousandth; one NaN in d_v. */
export const PLANTED = { head: 1, row: 2, outside: 4, nan: [0, 0, 4, 2] } as const;

const reported = (
  id: string,
  verdict: Verdict,
  more: Partial<ReportedCase> = {},
): ReportedCase => ({
  ...{ id, verdict, shows: null, words: ['forward', 'f32'], asked: verdict.verdict !== 'skip' },
  ...{ kept: null, log: [], seconds: 0.25, replay: null, ...more },
});

/** The failing case, kept under `root` with what a candidate is to have written. */
function keptCase(root: string): ReportedCase {
  const plain = smallCase('test/planted');
  const partition = { ranks: 2, q: [2, 1], kv: [3, 2] };
  const question = validateCase({ ...plain.parameters, partition }, plain.inputs);
  const folder = path.join(root, 'planted');
  writeCase(folder, question);
  const outputs = referenceOutputs(question);
  const { out, d_v: values } = outputs;
  if (out === undefined || values === undefined) throw new Error('the case wants them');
  for (let channel = 0; channel < PLANTED.outside; channel++) {
    const at = [0, PLANTED.head, PLANTED.row, channel] as const;
    out.set(...at, out.get(...at) * 1.001);
  }
  values.set(...PLANTED.nan, Number.NaN);
  writeOutputs(folder, outputs, 'F32');
  const read = readOutputs(folder, readCase(folder));
  if (!read.ok) throw new Error(read.reason);
  const verdict = judge(question, read.outputs, 'f32');
  const replay = `xattn replay ${folder} --candidate 'python3 "my kernel".py; ${HOSTILE}'`;
  return reported('test/planted', verdict, { kept: folder, shows: HOSTILE, replay });
}

/** `rest` more failing cases of which nothing is kept. */
export function failingReport(root: string, rest = 0): Report {
  const wrong = (n: number): ReportedCase =>
    reported(`test/wrong-${n}`, {
      ...{ verdict: 'impossible', reason: `out[0]: ${n} ${HOSTILE}`, outputs: {} },
    });
  const cases = [
    keptCase(root),
    reported('test/fine', { verdict: 'pass', reason: 'within the bounds', outputs: {} }),
    reported('test/dead', { verdict: 'broken', reason: HOSTILE, outputs: {} }, { log: [HOSTILE] }),
    reported('test/wide', { verdict: 'skip', reason: 'needs f64', outputs: {} }),
    ...Array.from({ length: rest }, (_, n) => wrong(n)),
  ];
  return {
    ...{ version: '0.1.0', candidate: HOSTILE, profile: PROFILES.f32, asked: 'suite test, seed 7' },
    ...{ seed: 7, summary: summaryOf(cases), cases, seconds: 1.75, note: HOSTILE },
  };
}
