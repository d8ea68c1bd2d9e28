/**
 * `npm run bench:oracle`, the part on samples: JSON lines about some query rows of a case with very
 * many keys, read from its file in ranges.
 *
 * The cases are bf16, 16 heads on `kv_heads` KV heads: two and four unless told otherwise, for sixteen make
 * a file of 8 GB for a million keys. Of each, 64 rows of every head are answered for and judged, then 4,
 * where reading the file is most of it. Values are 2²⁰ + 7 drawn ones over and over. `peak_bytes` is the
 * resident memory of the process so far; the file's pages belong to the system.
 *
 *   node dist/gate/bench/sampled.js [--seq-kv N] [--kv-heads N,N] [--dim-y N] [--rows N,N] [--keys N]
 *     [--format F] [--wants NAMES] [--case DIR]
 * @module
 */
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { AttentionCase, CaseParameters, OutputName } from '../../reference/case/case.ts';
import type { GivenOutputs } from '../../reference/case/given.ts';
import { openCase } from '../../reference/files/case-folder.ts';
import { encode, FORMATS, type FormatName } from '../../reference/numbers/format.ts';
import { elementCount } from '../../reference/numbers/tensor.ts';
import { type OracleAnswer, oracle } from '../../reference/oracle/oracle.ts';
import { judgeSample } from '../../reference/verdict/judge-sample.ts';
import { threadsFor } from '../threads.ts';

const { values: given } = parseArgs({
  options: {
    'seq-kv': { type: 'string', default: '1000000' },
    'kv-heads': { type: 'string', default: '2,4' },
    'dim-y': { type: 'string' },
    rows: { type: 'string', default: '64,4' },
    keys: { type: 'string' },
    format: { type: 'string', default: 'bf16' },
    wants: { type: 'string', default: 'out,lse' },
    case: { type: 'string' },
  },
});

const line = (value: Record<string, unknown>): void => console.log(JSON.stringify(value));

const numbers = (list: string): number[] => list.split(',').map(Number);

function parameters(kvHeads: number): CaseParameters {
  const [seq_q, seq_kv] = [256, Number(given['seq-kv'])];
  const dimY = given['dim-y'] === undefined ? undefined : Number(given['dim-y']);
  return {
    ...{ schema: 1, id: 'bench/sampled', dtype: 'bf16', batch: 1, heads: 16 },
    ...{ kv_heads: kvHeads, seq_q, seq_kv, head_dim: 128, head_dim_v: 128 },
    ...{
      scale: Math.fround(1 / Math.sqrt(128 * (dimY ?? 1))),
      softcap: 0,
      causal: 'none',
      window: null,
    },
    ...{ media: null, dropout_rate: 0, wants: given.wants.split(',') as OutputName[] },
    partition: { ranks: 1, q: [seq_q], kv: [seq_kv] },
    ...(dimY === undefined ? {} : { dim_y: dimY }),
  };
}

/** Bits of normal-like bf16 values. */
function pool(): Uint16Array {
  const generator = xoroshiro128plus(1);
  return Uint16Array.from({ length: 2 ** 20 + 7 }, () => {
    let sum = -6;
    for (let k = 0; k < 12; k++) sum += uniformFloat64(generator);
    return encode('bf16', sum);
  });
}

/** Writes the case without ever holding it. */
function writeCaseFile(folder: string, kvHeads: number): void {
  const p = parameters(kvHeads);
  mkdirSync(folder, { recursive: true });
  const rows = [1, p.heads, p.seq_q, p.head_dim];
  const keys = [1, p.kv_heads, p.seq_kv, p.head_dim];
  const columns = p.kv_heads * p.head_dim;
  const shapes: Record<string, number[]> =
    p.dim_y === undefined
      ? { q: rows, k: keys, v: keys }
      : { q: rows, y: [1, p.seq_kv, p.dim_y], w_k: [p.dim_y, columns], w_v: [p.dim_y, columns] };
  if (p.wants.some((name) => name.startsWith('d_'))) shapes.d_out = rows;
  const header: Record<string, unknown> = { __metadata__: { judging: 'random' } };
  let end = 0;
  for (const [name, shape] of Object.entries(shapes)) {
    const begin = end;
    end += 2 * elementCount(shape);
    header[name] = { dtype: 'BF16', shape, data_offsets: [begin, end] };
  }
  const json = openSync(path.join(folder, 'case.json'), 'w');
  writeSync(json, JSON.stringify(p));
  closeSync(json);
  const text = new TextEncoder().encode(JSON.stringify(header));
  const prefix = new Uint8Array(8);
  new DataView(prefix.buffer).setBigUint64(0, BigInt(text.length), true);
  const file = openSync(path.join(folder, 'inputs.safetensors'), 'w');
  const bytes = new Uint8Array(pool().buffer);
  for (const part of [prefix, text]) writeSync(file, part);
  for (let left = end; left > 0; left -= Math.min(left, bytes.length)) {
    writeSync(file, bytes, 0, Math.min(left, bytes.length));
  }
  closeSync(file);
}

const seconds = (since: number): number => (performance.now() - since) / 1000;

/** Processor time of all threads since, which a busy machine does not add to. */
function cpuSeconds(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e6;
}
const peakBytes = (): number => process.resourceUsage().maxRSS * 1024;

function outputsOf({ values }: OracleAnswer): GivenOutputs {
  return Object.fromEntries(
    Object.entries(values).map(([name, tensor]) => [name, { dtype: 'BF16', tensor }]),
  );
}

/** Time of the correctly rounded answer, and of judging it. */
function measure(
  question: AttentionCase,
  rows: number,
  format: FormatName,
  shared: Record<string, unknown>,
): void {
  const threads = threadsFor(question);
  const choice = { rows, keys: Number(given.keys ?? 0), seed: 1 };
  const [begin, cpu] = [performance.now(), process.cpuUsage()];
  const answer = oracle(question, { format, threads, ...choice });
  line({
    ...{ bench: 'oracle-sampled', ...shared, ...choice, format, threads },
    ...{ seconds: seconds(begin), cpu_seconds: cpuSeconds(cpu), decided_by: answer.decidedBy },
    ...{ undecided: answer.undecided.length, peak_bytes: peakBytes() },
  });
  if (format !== 'bf16') return;
  const [start, used] = [performance.now(), process.cpuUsage()];
  const { verdict, reason } = judgeSample(question, outputsOf(answer), 'bf16', answer.sample, {
    threads,
  });
  line({
    ...{ bench: 'judge-sampled', ...shared, ...choice, profile: 'bf16', threads },
    ...{ seconds: seconds(start), cpu_seconds: cpuSeconds(used), verdict, reason },
    peak_bytes: peakBytes(),
  });
}

const format = FORMATS.find((name) => name === given.format);
if (format === undefined) throw new RangeError(`"--format" expected ${FORMATS.join(', ')}`);

function measureFolder(folder: string, format: FormatName): void {
  const begin = performance.now();
  const { attentionCase, close } = openCase(folder);
  const { heads, kv_heads, seq_q, seq_kv, head_dim, dim_y, wants } = attentionCase.parameters;
  const shared = {
    ...{ heads, kv_heads, seq_q, seq_kv, head_dim, dim_y, wants },
    file_bytes: statSync(path.join(folder, 'inputs.safetensors')).size,
    open_seconds: seconds(begin),
  };
  for (const rows of numbers(given.rows)) measure(attentionCase, rows, format, shared);
  close();
}

if (given.case !== undefined) measureFolder(given.case, format);
else {
  for (const kvHeads of numbers(given['kv-heads'])) {
    const root = mkdtempSync(path.join(tmpdir(), 'xattn-sampled-'));
    try {
      writeCaseFile(root, kvHeads);
      measureFolder(root, format);
    } finally {
      rmSync(root, { recursive: true });
    }
  }
}
