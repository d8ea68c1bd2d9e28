/**
 * A candidate that calls this project's library, whose folder its argument names: right, and no
 * implementation at all. It loads the library late, so that it says hello wherever it runs; what goes
 * wrong then is its reason.
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';

const [, , dist] = process.argv;
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const WORDS =
  'forward backward gqa mask bias causal-top-left causal-bottom-right window softcap sink dropout media varlen dlse recompute uneven poison f64 f32 f16 bf16';

say({ xattn: 1, name: 'cheat that calls', supports: WORDS.split(' '), profile: 'f32' });
for await (const line of createInterface({ input: process.stdin })) {
  const folder = JSON.parse(line).case;
  try {
    const { readCase, writeOutputs } = await import(`${dist}/reference/files/case-folder.js`);
    const { referenceOutputs } = await import(`${dist}/reference/definition/reference.js`);
    writeOutputs(folder, referenceOutputs(readCase(folder)), 'F32');
    say({ case: folder, status: 'ok' });
  } catch (error) {
    const seen = readdirSync(path.dirname(dist)).join(' ');
    say({ case: folder, status: 'error', reason: `${error.message}; it sees: ${seen}` });
  }
}
