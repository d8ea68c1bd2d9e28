import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { CLUSTERS } from '../gpu/costs/clusters.ts';
import { MODELS } from '../gpu/costs/models.ts';
import { comparePaper } from '../gpu/costs/paper.ts';
import { planOf } from '../gpu/costs/plan.ts';
import { SCHEDULE_NAMES } from '../gpu/costs/schedules.ts';
import { bytes, error, length, short } from './commands/plan-numbers.ts';
import { paperText } from './commands/plan-paper.ts';
import { planText } from './commands/plan-text.ts';

const CLI = fileURLToPath(new URL('../dist/gate/cli.js', import.meta.url));
let root = '';

beforeAll(() => {
  if (!existsSync(CLI)) throw new Error(`${CLI} is missing: npm run build makes it`);
  root = mkdtempSync(path.join(tmpdir(), 'xattn-plan-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

function plan(...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [CLI, 'plan', ...args], { cwd: root });
  const ended: Ended = { status: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    ended.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    ended.stderr += text;
  });
  return new Promise((resolve) => child.on('close', (status) => resolve({ ...ended, status })));
}

const both = z.object({ nominal: z.number().positive(), calibrated: z.number().positive() });
const schedule = z.object({
  forward_bytes_per_rank: z.number().nonnegative(),
  backward_bytes_per_rank: z.number().nonnegative(),
  cross_attention_s: both,
  iteration_s: both,
  peak_bytes_per_rank: z.number().positive(),
});
/** DESIGN: one object, a schedule each, speedups over each other one. */
const planned = z.object({
  schedules: z.object(Object.fromEntries(SCHEDULE_NAMES.map((name) => [name, schedule]))),
  speedup: z.object({
    nominal: z.record(z.string(), z.number().positive()),
    calibrated: z.record(z.string(), z.number().positive()),
  }),
});

describe('xattn plan', () => {
  it('plans USP in the groups that are asked for, and refuses those that do not come out even', async () => {
    const usp = async (...more: string[]): Promise<unknown> => {
      const { stdout } = await plan('--cluster', 'a100x16', '--json', ...more);
      const Plan = z.object({ as_run: z.object({ usp: z.unknown(), 'lv-xattn': z.unknown() }) });
      return Plan.parse(JSON.parse(stdout)).as_run;
    };
    const [own, four, two] = await Promise.all([usp(), usp('--group', '4'), usp('--group', '2')]);
    expect(four).toEqual(own);
    expect(two).not.toEqual(own);
    const { status, stderr } = await plan('--cluster', 'a100x16', '--group', '3');
    expect([status, stderr]).toEqual([
      2,
      'xattn: "group" expected a divisor of "ranks" (16) and of "heads" (32), got 3\n',
    ]);
  });

  it('says which groups USP takes', async () => {
    const told = async (...more: string[]): Promise<[number, string]> => {
      const [text, json] = await Promise.all([plan(...more), plan('--json', ...more)]);
      const line = text.stdout.split('\n').find((one) => one.startsWith('usp: '));
      return [JSON.parse(json.stdout).usp_group, line ?? 'nothing'];
    };
    expect(
      await Promise.all(
        [[], ['--group', '2'], ['--group', '16'], ['--group', '1']].map((more) =>
          told('--cluster', 'a100x16', ...more),
        ),
      ),
    ).toEqual([
      [4, 'usp: 4 groups of 4 ranks, Ulysses within each, LV-XAttn’s ring between them.'],
      [2, 'usp: 8 groups of 2 ranks, Ulysses within each, LV-XAttn’s ring between them.'],
      [16, 'usp: one group of all 16 ranks: Ulysses alone.'],
      [1, 'usp: groups of one rank: LV-XAttn’s ring alone.'],
    ]);
  });

  it('prints one JSON object and nothing else, with every schedule', async () => {
    const { status, stdout, stderr } = await plan('--json');
    expect([status, stderr]).toEqual([0, '']);
    const { schedules, speedup } = planned.parse(JSON.parse(stdout));
    const [lv, ring] = [schedules['lv-xattn']!, schedules['ring-attention']!];
    expect(lv.forward_bytes_per_rank).toBe(2 * ((15 * 2048 * 4096) / 16 + 2048 * (4096 + 32)));
    expect(speedup.nominal['ring-attention']).toBe(
      ring.cross_attention_s.nominal / lv.cross_attention_s.nominal,
    );
    expect(Object.keys(speedup.calibrated)).toEqual(SCHEDULE_NAMES.slice(1));
  });

  it('gives each schedule as it is run what the clock says of it', async () => {
    // Four query heads share a KV head.
    const how = ['--model', 'llama-3-v-11b', '--cluster', 'a30x8', '--seq-kv', '65536', '--json'];
    for (const name of SCHEDULE_NAMES) {
      const { as_run, simulation } = JSON.parse((await plan(...how, '--schedule', name)).stdout);
      for (const direction of ['forward', 'backward'] as const) {
        const { seconds, bytes_sent_per_rank, peak_bytes_per_rank } = simulation[direction];
        const row = as_run[name];
        expect([name, bytes_sent_per_rank]).toEqual([name, row[`${direction}_bytes_per_rank`]]);
        expect(peak_bytes_per_rank).toBe(row[`${direction}_buffers_bytes_per_rank`]);
        expect(row.peak_bytes_per_rank).toBeGreaterThan(peak_bytes_per_rank);
        expect(Math.abs(seconds / row[`${direction}_s`].nominal - 1)).toBeLessThan(1e-12);
      }
    }
  });

  it('says which schedule cannot be used, and gives it no numbers', async () => {
    const { status, stdout } = await plan('--json', '--model', 'mplug-owl3-7b');
    expect(status).toBe(0);
    const { schedules, speedup } = JSON.parse(stdout);
    expect(schedules.ulysses.unusable).toMatch(/28 heads over 16 ranks/);
    expect(schedules.ulysses.cross_attention_s).toBeNull();
    expect(speedup.nominal.ulysses).toBeNull();
    expect((await plan('--model', 'mplug-owl3-7b')).stdout).toMatch(
      /not here: ulysses deals whole heads/,
    );
  });

  it('takes a model and a cluster from JSON, 4096 ranks too', async () => {
    const cluster = { ...CLUSTERS[0], name: 'mine', ranks: 4096, ranks_per_node: 8 };
    writeFileSync(path.join(root, 'cluster.json'), JSON.stringify(cluster));
    writeFileSync(path.join(root, 'model.json'), JSON.stringify({ ...MODELS[1], name: 'ours' }));
    const { status, stdout } = await plan('--cluster', 'cluster.json', '--model', 'model.json');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^ours on mine, 4096 ranks: 2,048 text tokens/);
    expect(stdout).toMatch(/its links as nominal, for nobody measured them/);
  });

  it('simulates a layer, writes a trace and draws it', async () => {
    const files = ['--trace', 'trace.json', '--svg', 'layer.svg'];
    const how = ['--cluster', 'a30x8', '--seq-kv', '8192', '--schedule', 'ring-attention'];
    const { status, stdout, stderr } = await plan(...how, ...files, '--json');
    expect([status, stderr]).toEqual([0, '']);
    const { simulation } = JSON.parse(stdout);
    expect(simulation.schedule).toBe('ring-attention');
    const { forward, backward } = simulation;
    expect(Object.keys(backward.bytes_by_lane_per_rank)).toEqual(['keys', 'gradients']);
    expect(forward.bytes_between_nodes).toBe(8 * forward.bytes_sent_per_rank);
    expect(forward.bytes_within_nodes).toBe(0);
    expect(forward.exposed_s).toBeGreaterThan(0);
    expect(forward.bytes_sent_per_rank).toBe(forward.formula.bytes_sent_per_rank);
    expect(backward.bytes_sent_per_rank).toBe(backward.formula.bytes_sent_per_rank);
    expect(forward.seconds).toBeCloseTo(forward.formula.seconds, 12);
    expect(forward.compute_s + forward.exposed_s).toBeCloseTo(forward.seconds, 12);
    const { traceEvents } = JSON.parse(readFileSync(path.join(root, 'trace.json'), 'utf8'));
    const spans = traceEvents.filter(({ ph }: { ph: string }) => ph === 'X');
    expect(spans.filter(({ cat }: { cat: string }) => cat === 'compute').length).toBe(2 * 64);
    const svg = readFileSync(path.join(root, 'layer.svg'), 'utf8');
    expect(svg).toMatch(/^<svg .*\n<title>ring-attention, one layer of llama-3-v-11b on a30x8/);
    expect(svg).toContain('rank 7');
    const text = await plan(...how);
    expect(text.stdout).toMatch(
      /ring-attention on the clock, one layer, nominal, as run +forward +backward/,
    );
  });

  it('prints what was published beside what is predicted', async () => {
    const text = await plan('--paper');
    expect(text.status).toBe(0);
    expect(text.stdout).toMatch(/speedup of an iteration, × up to +10\.62/);
    expect(text.stdout).toMatch(/Figure 4\): its cells are not known here as numbers/);
    expect(text.stdout).toMatch(/Of 12 rows that nothing was fitted to, \d+ have both/);
    const json = await plan('--paper', '--json');
    expect(JSON.parse(json.stdout).rows.length).toBe(18);
  });

  const wrong: [args: string[], reason: RegExp][] = [
    [['--model', 'gpt'], /"--model" expected one of llama-3-v-11b .* or a \.json file, got "gpt"/],
    [['--cluster', 'b200'], /"--cluster" expected one of a100x16 a30x8 a100x12 or .*, got "b200"/],
    [['--cluster', 'none.json'], /none\.json: there is no such file or folder/],
    [['--cluster', 'text.json'], /text\.json: expected JSON/],
    [
      ['--cluster', 'slow.json'],
      /slow\.json: "between_nodes_bytes_per_s" expected bytes per second/,
    ],
    [['--model', 'odd.json'], /odd\.json: "heads" expected a number, got "eight"/],
    [['--seq-q', '0'], /Expected a whole number, 1 or more/],
    [['--seq-kv', '1e6'], /Expected a whole number/],
    [['--seq-q', '9007199254740992'], /Expected a whole number, at most 9007199254740991/],
    [['--frames', '9007199254740991'], /"--frames" expected at most 1406495823663 of this model/],
    [['--cluster', 'deep.json'], /deep\.json: expected JSON at most 64 deep, got deeper/],
    [['--model', 'deep.json'], /deep\.json: expected JSON at most 64 deep, got deeper/],
    [['--cluster', 'twice.json'], /twice\.json: expected each name once, got "ranks" twice/],
    [['--cluster', 'vast.json'], /vast\.json: "ranks" expected a finite number, got 1e999/],
    [
      ['--cluster', 'slowest.json'],
      /slowest\.json: "between_nodes_bytes_per_s" expected a number, 1 or more, got 1e-300/,
    ],
    [
      ['--cluster', 'fastest.json'],
      /fastest\.json: "peak_flops_per_s" expected a number, at most 1e\+30, got 1e\+300/,
    ],
    [['--cluster', 'field.json'], /field\.json: expected no field "nodes"/],
    [['--model', 'wide.json'], /wide\.json: "heads" expected a number, at most 65536, got 1000000/],
    [['--frames', '2', '--seq-kv', '3'], /cannot be used with option/],
    [['extra'], /too many arguments/],
    [['--schedule', 'ring'], /argument 'ring' is invalid\. Allowed choices are lv-xattn/],
    [
      ['--model', 'mplug-owl3-7b', '--schedule', 'ulysses'],
      /ulysses deals whole heads: 28 heads over 16 ranks do not come out even/,
    ],
    [['--svg', 'no-folder/layer.svg'], /no-folder/],
    [['--trace', 'no-folder/trace.json'], /no-folder/],
    [['--trace', '/dev/full', '--seq-kv', '64'], /^xattn: \/dev\/full: the disk is full\n$/],
    [['--svg', '/dev/full', '--seq-kv', '64'], /^xattn: \/dev\/full: the disk is full\n$/],
    [['--paper', '--svg', 'map.svg'], /cannot be used with option/],
    [['--paper', '--model', 'foo'], /cannot be used with option/],
    [['--paper', '--seq-q', '7'], /cannot be used with option/],
    [['--cluster', 'folder.json'], /folder\.json: it is a folder, expected a file/],
    [
      ['--svg', 'one', '--trace', './one', '--schedule', 'lv-xattn'],
      /"--svg" expected another file than "--trace", got one for both/,
    ],
    [
      ['--cluster', 'many.json', '--svg', 'm.svg'],
      /a simulation expected at most 1024 ranks, got 4/,
    ],
    [
      ['--cluster', 'late.json'],
      /late\.json: "between_nodes_latency_s" expected a number, 0 or more, got -1/,
    ],
  ];
  for (const [args, reason] of wrong) {
    it(`refuses ${args.join(' ')}, exit 2`, async () => {
      const { between_nodes_bytes_per_s: _, ...slow } = CLUSTERS[0]!;
      writeFileSync(path.join(root, 'slow.json'), JSON.stringify(slow));
      writeFileSync(path.join(root, 'odd.json'), JSON.stringify({ ...MODELS[0], heads: 'eight' }));
      writeFileSync(path.join(root, 'text.json'), 'ranks: 4');
      mkdirSync(path.join(root, 'folder.json'), { recursive: true });
      const file = (name: string, text: string) => writeFileSync(path.join(root, name), text);
      file('deep.json', '['.repeat(1e5) + ']'.repeat(1e5));
      file('twice.json', '{"name":"a","ranks":1,"ranks":2}');
      file('vast.json', '{"name":"a","ranks":1e999}');
      const changed = (change: object) => JSON.stringify({ ...CLUSTERS[0], ...change });
      file('slowest.json', changed({ between_nodes_bytes_per_s: 1e-300 }));
      file('fastest.json', changed({ peak_flops_per_s: 1e300 }));
      file('field.json', changed({ nodes: 4 }));
      file('wide.json', JSON.stringify({ ...MODELS[0], heads: 1e6, kv_heads: 1e6 }));
      const [many, late] = [{ ranks: 4096 }, { between_nodes_latency_s: -1 }];
      writeFileSync(path.join(root, 'many.json'), JSON.stringify({ ...CLUSTERS[0], ...many }));
      writeFileSync(path.join(root, 'late.json'), JSON.stringify({ ...CLUSTERS[0], ...late }));
      const { status, stdout, stderr } = await plan(...args);
      expect(stderr).toMatch(reason);
      expect(stderr).not.toMatch(/^\s+at |internal error/m);
      expect([status, stdout]).toEqual([2, '']);
    });
  }
});

describe('the text', () => {
  const width = (text: string): number =>
    Math.max(...text.split('\n').map((line) => [...line].length));

  it('fits 100 columns, for every preset and for extremes', () => {
    const settings = MODELS.flatMap((model, m) =>
      CLUSTERS.map((of, c) => ({
        model,
        cluster: (m + c) % 2 === 0 ? of : { ...of, ranks: of.ranks_per_node * 999 },
        seq_q: 98_765,
        seq_kv: [1, 1_234_567, 2 ** 40][(m + c) % 3] ?? 1,
      })),
    );
    for (const setting of settings) {
      const text = planText(planOf(setting));
      expect(text.split('\n').filter((line) => [...line].length > 100)).toEqual([]);
      expect(text).not.toMatch(/NaN|undefined|Infinity/);
    }
  });

  it('of the paper fits them too', () => {
    expect(width(paperText(comparePaper()))).toBeLessThanOrEqual(100);
  });

  it('writes numbers in three digits', () => {
    expect([0, 0.01234, 1.5, 99.96, 123.4, 1234567].map(short)).toEqual([
      '0',
      '0.0123',
      '1.50',
      '100',
      '123',
      '1,234,567',
    ]);
    expect([12, 1024, 5 * 2 ** 30].map(bytes)).toEqual(['12.0 B', '1.00 KiB', '5.00 GiB']);
    expect([7, 2048, 1025, 3 * 2 ** 20].map(length)).toEqual(['7', '2K', '1,025', '3M']);
    expect([0.071, -0.2, 0.001, 9].map(error)).toEqual(['+7 %', '−20 %', '±0 %', '10.0×']);
  });
});
