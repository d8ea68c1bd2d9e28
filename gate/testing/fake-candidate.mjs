/**
 * A candidate for the tests: answers by the built reference, and misbehaves as its first argument
 * says on the question that its second names: `a` the first it is asked, `b` the second; all without.
 */
import { execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { referenceOutputs } from '../../dist/reference/definition/reference.js';
import { readCase, writeOutputs } from '../../dist/reference/files/case-folder.js';
import { tensorOf, toFlat } from '../../dist/reference/numbers/tensor.js';

const [, , fault = 'none', victim = '', starts] = process.argv;
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const WORDS =
  'forward backward gqa mask bias causal-top-left causal-bottom-right window softcap sink dropout media varlen dlse recompute uneven f64 f32 f16 bf16';
const hello = { xattn: 1, name: 'fake', supports: WORDS.split(' '), profile: 'f32' };

/** How often this candidate was started before, counted in a file. */
function startsBefore() {
  if (starts === undefined) return 0;
  appendFileSync(starts, 'x');
  return readFileSync(starts).length - 1;
}

function outputsFor(folder) {
  const outputs = referenceOutputs(readCase(folder));
  return outputs;
}

function write(folder, change = (outputs) => outputs) {
  writeOutputs(folder, change(outputsFor(folder)), 'F32');
  return `${folder}/outputs.safetensors`;
}

const withOut = (change) => (outputs) => ({ ...outputs, out: change(outputs.out) });
const firstElement = (value) =>
  withOut((out) => {
    out.set(...out.shape.map(() => 0), value);
    return out;
  });

async function flood(stream, chunk, times) {
  for (let n = 0; n < times; n++) await new Promise((done) => stream.write(chunk, done));
}

const ok = (folder) => say({ case: folder, status: 'ok' });

let asked = 0;
let remembered;
const cached = new Map();

/** dQ is added to what lies in the buffer, which is cleared when its size changes. */
function stale(outputs) {
  const { d_q: gradient } = outputs;
  if (gradient === undefined) return outputs;
  if (remembered?.length !== gradient.data.length) remembered = gradient.data.map(() => 0);
  remembered = gradient.data.map((x, n) => x + remembered[n]);
  return { ...outputs, d_q: tensorOf(Float64Array.from(remembered), gradient.shape) };
}

/** Each fault answers one case in its own way. */
const FAULTS = {
  none: (folder) => {
    write(folder);
    ok(folder);
  },
  hang: () => {},
  'hangs-later': (folder) => {
    if (asked++ < 5) FAULTS.none(folder);
  },
  die: () => process.exit(7),
  segfault: () => process.kill(process.pid, 'SIGSEGV'),
  garbage: () => {
    process.stdout.write(Buffer.from([0xff, 0xfe, 0x00, 0x7b, 0x0a]));
    console.error('\u001b[31mred\u001b[0m alarm');
    process.exit(1);
  },
  missing: ok,
  truncated: (folder) => {
    truncateSync(write(folder), 100);
    ok(folder);
  },
  'lying-header': (folder) => {
    writeFileSync(`${folder}/outputs.safetensors`, Buffer.alloc(64, 0xff));
    ok(folder);
  },
  shape: (folder) => {
    write(
      folder,
      withOut((out) => tensorOf(out.data, [out.data.length])),
    );
    ok(folder);
  },
  dtype: (folder) => {
    const file = write(folder);
    const bytes = readFileSync(file);
    const at = bytes.indexOf('"F32"');
    bytes.write('"I32"', at);
    writeFileSync(file, bytes);
    ok(folder);
  },
  nan: (folder) => {
    write(folder, firstElement(Number.NaN));
    ok(folder);
  },
  infinity: (folder) => {
    write(folder, firstElement(Number.POSITIVE_INFINITY));
    ok(folder);
  },
  wrong: (folder) => {
    write(folder, firstElement(1000));
    ok(folder);
  },
  'wrong-case': (folder) => {
    write(folder);
    ok(`${folder}-other`);
  },
  twice: (folder) => {
    write(folder);
    ok(folder);
    ok(folder);
  },
  foresees: (folder) => {
    write(folder);
    const next = folder.replace(/[^/]+$/, '1');
    const lines = [folder, next].map((name) => JSON.stringify({ case: name, status: 'ok' }));
    process.stdout.write(`${lines.join('\n')}\n`);
  },
  status: (folder) => say({ case: folder, status: 'done' }),
  error: (folder) => say({ case: folder, status: 'error', reason: 'out of memory' }),
  declines: (folder) => say({ case: folder, status: 'unsupported', reason: 'head_dim 3' }),
  'declines-but-one': (folder) => (asked++ === 0 ? FAULTS.none : FAULTS.declines)(folder),
  'stale-buffer': (folder) => {
    write(folder, stale);
    ok(folder);
  },
  'stale-and-wrong': (folder) => {
    // The same, and with a softcap dQ is wrong whatever was asked before.
    const { softcap } = readCase(folder).parameters;
    write(folder, (outputs) => {
      if (softcap === 0 || outputs.d_q === undefined) return stale(outputs);
      const { data, shape } = outputs.d_q;
      return {
        ...outputs,
        d_q: tensorOf(
          Float64Array.from(data, (x) => x + 1),
          shape,
        ),
      };
    });
    ok(folder);
  },
  'cache-by-shape': (folder) => {
    // The output of the first case of its shape, for all that have it.
    write(
      folder,
      withOut((out) => {
        const key = out.shape.join();
        if (!cached.has(key)) cached.set(key, tensorOf(Float64Array.from(toFlat(out)), out.shape));
        return cached.get(key);
      }),
    );
    ok(folder);
  },
  'wrong-again': (folder) => {
    // Right for the first time that it sees these inputs, wrong from then on.
    const inputs = readFileSync(`${folder}/inputs.safetensors`).toString('base64');
    const seen = cached.has(inputs);
    cached.set(inputs, true);
    (seen ? FAULTS.wrong : FAULTS.none)(folder);
  },
  'first-call': (folder) => (asked++ === 0 ? FAULTS.wrong : FAULTS.none)(folder),
  link: (folder) => {
    symlinkSync('/etc/hostname', `${folder}/outputs.safetensors`);
    ok(folder);
  },
  'exit-after': (folder) => {
    write(folder);
    process.stdout.write(`${JSON.stringify({ case: folder, status: 'ok' })}\n`, () =>
      process.exit(0),
    );
  },
  noise: (folder) => {
    console.log('loading…\n{"progress": 1}\n{"case": 3}\n[1]\nnull');
    console.error('a warning');
    FAULTS.none(folder);
  },
  huge: (folder) => {
    process.stdout.write(`${'x'.repeat(3 << 20)}\n`);
    FAULTS.none(folder);
  },
  partial: async (folder) => {
    write(folder);
    const bytes = Buffer.from(`${JSON.stringify({ case: folder, status: 'ok', reason: 'ü😀' })}\n`);
    for (let at = 0; at < bytes.length; at += 7) {
      process.stdout.write(bytes.subarray(at, at + 7));
      await sleep(1);
    }
  },
  tampers: (folder) => {
    write(folder, firstElement(1000));
    writeFileSync(`${folder}/case.json`, '{}');
    writeFileSync(`${folder}/inputs.safetensors`, '');
    ok(folder);
  },
  deletes: (folder) => {
    rmSync(folder, { recursive: true });
    ok(folder);
  },
  'deletes-all': (folder) => {
    write(folder);
    rmSync(dirname(folder), { recursive: true });
    ok(folder);
  },
  empties: (folder) => {
    for (const name of readdirSync(folder)) unlinkSync(`${folder}/${name}`);
    ok(folder);
  },
  'file-for-folder': (folder) => {
    rmSync(folder, { recursive: true });
    writeFileSync(folder, 'no folder');
    ok(folder);
  },
  'deep-answer': (folder) => {
    write(folder);
    const deep = `${'['.repeat(1e5)}${']'.repeat(1e5)}`;
    for (const key of ['reason', 'more']) {
      const line = JSON.stringify({ case: folder, status: 'ok', [key]: 0 });
      process.stdout.write(`${line.replace(`"${key}":0`, `"${key}":${deep}`)}\n`);
    }
  },
  'deep-list': (folder) => {
    write(folder);
    process.stdout.write(`${'['.repeat(1e5)}${']'.repeat(1e5)}\n`);
  },
  'in-a-list': (folder) => {
    write(folder);
    process.stdout.write(`${JSON.stringify([{ case: folder, status: 'ok' }])}\n`);
  },
  endless: (folder) => {
    write(folder);
    const reason = 'x'.repeat(2 ** 21);
    process.stdout.write(`${JSON.stringify({ case: folder, status: 'ok', reason })}\n`);
  },
  'two-statuses': (folder) => {
    write(folder);
    const line = JSON.stringify({ case: folder, status: 'error' });
    process.stdout.write(`${line.replace('}', ',"status":"ok"}')}\n`);
  },
  'deep-header': (folder) => {
    const header = Buffer.from(`${'{"out":'.repeat(1e5)}1${'}'.repeat(1e5)}`);
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    writeFileSync(`${folder}/outputs.safetensors`, Buffer.concat([length, header]));
    ok(folder);
  },
  fifo: (folder) => {
    execFileSync('mkfifo', [`${folder}/outputs.safetensors`]);
    ok(folder);
  },
  sparse: (folder) => {
    truncateSync(write(folder), 10 * 2 ** 30);
    ok(folder);
  },
  'folder-for-outputs': (folder) => {
    mkdirSync(`${folder}/outputs.safetensors/deep/er`, { recursive: true });
    ok(folder);
  },
  early: async (folder) => {
    ok(folder);
    await sleep(300);
    try {
      write(folder);
    } catch {
      // The folder is gone by then.
    }
  },
  'in-one-line': (folder) => {
    write(folder);
    const answer = JSON.stringify({ case: folder, status: 'ok' });
    process.stdout.write(`${answer}${answer}\n`);
  },
  'utf-16': (folder) => {
    write(folder);
    const answer = JSON.stringify({ case: folder, status: 'ok' });
    process.stdout.write(Buffer.from(`\ufeff${answer}\n`, 'utf16le'));
  },
  'with-nul': (folder) => {
    write(folder);
    process.stdout.write(`${JSON.stringify({ case: folder, status: 'ok' })}\0\n`);
  },
  'carriage-return': (folder) => {
    write(folder);
    process.stdout.write(`${JSON.stringify({ case: folder, status: 'ok' })}\r\n`);
  },
  'closes-output': (folder) => {
    write(folder);
    closeSync(1);
    setInterval(() => {}, 1000);
  },
  'closes-input': (folder) => {
    write(folder);
    closeSync(0);
    ok(folder);
    setInterval(() => {}, 1000);
  },
  'flood-output': async (folder) => {
    await flood(process.stdout, Buffer.alloc(1 << 20, 'x'), 64);
    process.stdout.write('\n');
    FAULTS.none(folder);
  },
  'flood-errors': async (folder) => {
    await flood(process.stderr, Buffer.alloc(1 << 20, 'x\n'), 256);
    FAULTS.none(folder);
  },
  'leaves-daemon': (folder) => {
    write(folder);
    spawn('sleep', ['20'], { detached: true, stdio: 'inherit' }).unref();
    process.exit(6);
  },
  'no-restart': () => process.exit(1),
  flaky: (folder) => {
    write(folder, firstElement(1000 + asked++));
    ok(folder);
  },
  'nan-signs': (folder) => {
    const file = write(folder, firstElement(Number.NaN));
    const bytes = readFileSync(file);
    const data = 8 + Number(bytes.readBigUInt64LE(0));
    for (let at = data; at < bytes.length; at += 4) {
      if (Number.isNaN(bytes.readFloatLE(at))) bytes[at + 3] = asked % 2 === 0 ? 0x7f : 0xff;
    }
    asked++;
    writeFileSync(file, bytes);
    ok(folder);
  },
  unsteady: (folder) => {
    const scale = 1 + (asked++ % 2) * 2 ** -22;
    write(folder, (outputs) => ({
      ...outputs,
      lse: tensorOf(
        Float64Array.from(outputs.lse.data, (x) => x * scale),
        outputs.lse.shape,
      ),
    }));
    ok(folder);
  },
};

const HELLOS = {
  'no-hello': () => {},
  'dies-at-start': () => process.exit(5),
  'bad-hello': () => say({ ...hello, profile: 'fp32' }),
  'unknown-word': () => say({ ...hello, supports: ['forward', 'backwards'] }),
  'other-version': () => say({ ...hello, xattn: 2 }),
  'early-answer': () => say({ case: '/tmp/anything', status: 'ok' }),
};

/** What it declines by word it must never be asked for. */
const DECLINES = ['no-lse', 'no-d-bias', 'no-gqa-backward'];
if (DECLINES.includes(fault)) hello.supports.push(fault);

if (fault === 'no-restart' && startsBefore() > 0) process.exit(9);
if (fault in HELLOS) HELLOS[fault]();
else say(fault === 'forward-only' ? { ...hello, supports: ['forward', 'f32'] } : hello);

let turn = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const folder = JSON.parse(line).case;
  const mine = victim === '' || 'abcdef'[turn++] === victim;
  await (mine ? (FAULTS[fault] ?? FAULTS.none) : FAULTS.none)(folder);
}
