/**
 * A candidate that cannot compute anything and tries to pass: it claims every word, and answers with
 * what it finds under the folder that its second argument names, which it reads anew for each question.
 *
 * - `reads`: any expected.safetensors there whose case has the same inputs.
 * - `knows`: the same, but read once at its start, as one who carries them with it.
 * - `by-id`: an expected.safetensors there whose case has the same id.
 */
import { copyFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';

const [, , manner, place] = process.argv;
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const WORDS =
  'forward backward gqa mask bias causal-top-left causal-bottom-right window softcap sink dropout media varlen dlse recompute uneven poison f64 f32 f16 bf16';

function foldersUnder(folder) {
  const entries = existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : [];
  const inner = entries.filter((one) => one.isDirectory());
  return [folder, ...inner.flatMap(({ name }) => foldersUnder(path.join(folder, name)))];
}

const has = (folder, name) => existsSync(path.join(folder, name));

/** The numbers of a case's inputs, without the file's header. */
function numbersOf(folder) {
  const bytes = readFileSync(path.join(folder, 'inputs.safetensors'));
  return bytes.subarray(8 + Number(bytes.readBigUInt64LE(0))).toString('base64');
}
const idOf = (folder) => JSON.parse(readFileSync(path.join(folder, 'case.json'), 'utf8')).id;
const keyOf = manner === 'by-id' ? idOf : numbersOf;

function answers() {
  const folders = foldersUnder(place).filter((folder) => has(folder, 'expected.safetensors'));
  return new Map(
    folders.map((folder) => [keyOf(folder), path.join(folder, 'expected.safetensors')]),
  );
}

const known = manner === 'knows' ? answers() : null;
say({ xattn: 1, name: `cheat that ${manner}`, supports: WORDS.split(' '), profile: 'f32' });
for await (const line of createInterface({ input: process.stdin })) {
  const folder = JSON.parse(line).case;
  const found = (known ?? answers()).get(keyOf(folder));
  if (found !== undefined) copyFileSync(found, path.join(folder, 'outputs.safetensors'));
  say({ case: folder, status: 'ok' });
}
