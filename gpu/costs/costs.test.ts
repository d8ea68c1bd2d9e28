/**
 * The formulas against numbers worked out by hand, against the paper's table of regimes, and against
 * laws that any cost obeys.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { uspGroup } from '../schedules/groups.ts';
import { CALIBRATION } from './calibration.ts';
import { calibrate } from './calibration-fit.ts';
import { longestInput, rankBytes } from './choice.ts';
import { CLUSTERS, type Cluster, parseCluster } from './clusters.ts';
import { blockPairFlops } from './flops.ts';
import { nominalMachine, passSeconds, regimeOf, transferSeconds } from './machine.ts';
import { memoryAsRun, memoryOf, savedRecomputed, savedStandard } from './memory.ts';
import { MODELS, type Model, parseModel } from './models.ts';
import { bytesSent, NEXT } from './phases.ts';
import { BASES, predict, type Setting } from './prediction.ts';
import { PUBLISHED, settingOf } from './published.ts';
import { layerCost, SCHEDULE_NAMES, type ScheduleName } from './schedules.ts';
import { AS_PUBLISHED, AS_RUN, type Workload, workloadOf } from './workload.ts';

const modelNamed = (name: string): Model => MODELS.find((one) => one.name === name)!;
const clusterNamed = (name: string): Cluster => CLUSTERS.find((one) => one.name === name)!;
const LLAMA = modelNamed('llama-3-v-11b');
const A100 = clusterNamed('a100x16');
const A30 = clusterNamed('a30x8');

const near = (actual: number, expected: number, share = 1e-12): void =>
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(share * Math.abs(expected));

const sent = (name: ScheduleName, w: Workload, options = AS_PUBLISHED): [number, number] => {
  const { forward, backward } = layerCost(name, w, options);
  return [bytesSent(forward), bytesSent(backward)];
};

// 4 ranks, 8 text tokens, 40 keys, 6 heads of 5 over 2 KV heads (e = 30), f16: sizes differ all.
const SMALL: Workload = {
  ...{ ranks: 4, ranks_per_node: 2, seq_q: 8, seq_kv: 40, heads: 6, kv_heads: 2, head_dim: 5 },
  ...{ hidden: 11, visual_dim: 13, element_bytes: 2, scalar_bytes: 2 },
};

describe('volumes, by hand', () => {
  const w = SMALL;
  const table: [ScheduleName, number, number][] = [
    // Q: 3 hops of 2 rows; O and LSE: 4. {Q, O, dO, LSE}: 3 hops; dQ: 4.
    ['lv-xattn', 2 * (3 * 60 + 4 * 72), 2 * (3 * (3 * 60 + 12) + 4 * 60)],
    ['ring-attention', 2 * 3 * 600, 2 * (3 * 600 + 4 * 600)],
    // Three quarters of Q, K, V and O, each 2 or 10 rows of 30.
    ['ulysses', 2 * 0.75 * (60 + 300 + 300 + 60), 2 * 0.75 * (60 + 300 + 300 + 60)],
    ['head-parallel', 2 * 3 * (2 * 11 + 10 * 13 + 2 * 11), 2 * 3 * (2 * 11 + 10 * 13 + 2 * 11)],
    // K and V of 10 rows, 2 heads of 5, to each of the 3 others; backward their gradients too.
    ['all-gather-kv', 2 * 3 * 200, 2 * 3 * 400],
    ['pass-q', 2 * (3 * 60 + 3 * 72), 2 * (3 * 192 + 3 * 60)],
    // Three heads of Q, one of K and V, to the other of the node; a hop of two blocks of Q, two of O
    // and LSE; O and LSE home. {Q, dO, LSE, D} in place of Q, dQ of O and LSE; dK and dV home.
    [
      'usp',
      2 * (30 + 100 + 60 + 2 * 72 + 36),
      2 * (2 * 3 * 12 + 100 + 4 * 3 * 12 + 2 * 60 + 30 + 100),
    ],
    ['token-ring', 2 * (3 * 60 + 3 * 72), 2 * (3 * 192 + 3 * 60)],
  ];
  for (const [name, forward, backward] of table) {
    it(name, () => expect(sent(name, w)).toEqual([forward, backward]));
  }

  it('of heads as they are run: each rank’s in Ulysses, all in head-parallel', () => {
    // 2 rows and 10 keys a rank, 2 heads of 5 and one KV head for each rank.
    const eight = { ...w, heads: 8, kv_heads: 4 };
    const [others, query, keys, gradients] = [3, 2 * 2 * 5, 10 * 10, 10 * 10];
    const lse = 2 * 2;
    expect(sent('ulysses', eight, AS_RUN)).toEqual([
      2 * others * (query + keys + query + lse),
      2 * others * (2 * query + 2 * lse + keys + query + gradients),
    ]);
    expect(sent('head-parallel', eight, AS_RUN)).toEqual([
      2 * 4 * others * (query + keys + query + lse),
      2 * 4 * others * (2 * query + 2 * lse + keys + query + gradients),
    ]);
    expect(() => sent('ulysses', w, AS_RUN)).toThrow('6 heads over 4 ranks do not come out even');
  });

  it('of the options', () => {
    expect(sent('lv-xattn', w, { ...AS_PUBLISHED, backwardSends: 'delta' })[1]).toBe(
      2 * (3 * (2 * 60 + 2 * 12) + 4 * 60),
    );
    expect(sent('ring-attention', w, { ...AS_PUBLISHED, expandedHeads: false })).toEqual([
      2 * 3 * 200,
      2 * 7 * 200,
    ]);
    expect(sent('lv-xattn', w, { ...AS_PUBLISHED, overlap: false })).toEqual(sent('lv-xattn', w));
  });

  it('of an LSE in float32', () => {
    expect(sent('lv-xattn', { ...w, scalar_bytes: 4 })[0]).toBe(2 * (3 * 60 + 4 * 72) + 2 * 4 * 12);
  });
});

describe('times', () => {
  it('count operations of a block pair', () => {
    const pair = { rows: 3, keys: 7, heads: 2, head_dim: 5, head_dim_v: 5 };
    expect(blockPairFlops(pair, 'forward')).toBe(4 * 3 * 7 * 10);
    expect(blockPairFlops(pair, 'backward')).toBe(10 * 3 * 7 * 10);
  });

  it('are those of the formula where Ring Attention is bound by communication', () => {
    for (const row of PUBLISHED.filter(({ cluster }) => cluster === 'a30x8')) {
      const { model, cluster, seq_q, seq_kv } = settingOf(row);
      const n = cluster.ranks;
      const e = model.heads * model.head_dim;
      const hops = (model.cross_attention_layers * (3 * n - 2) * 2 * (seq_kv / n) * e * 2) / 1.25e9;
      const { cross_attention_s } = predict(
        'nominal',
        { model, cluster, seq_q, seq_kv },
        'ring-attention',
      );
      // One forward round has nothing to send, and only computes.
      expect(cross_attention_s).toBeGreaterThanOrEqual(hops * (1 - 1e-12));
      expect(cross_attention_s).toBeLessThan(hops * 1.02);
    }
  });

  it('give the speedups of the paper’s table between the regimes, on many ranks', () => {
    const flops = 312e12;
    const elements = 25e9 / 2;
    const ranks = 4096;
    const cluster = { ...A100, ranks, ranks_per_node: 1 };
    const machine = nominalMachine(cluster);
    for (const rows of [64, 512, 4096]) {
      const sizes = { seq_q: rows * ranks, seq_kv: 2 ** 20 * ranks };
      const workload = { ...workloadOf(LLAMA, cluster, sizes), scalar_bytes: 0 };
      const [lv, ring] = (['lv-xattn', 'ring-attention'] as const).map((name) =>
        layerCost(name, workload, AS_PUBLISHED),
      );
      expect(regimeOf(machine, lv!.forward)).toBe('compute');
      expect(regimeOf(machine, ring!.forward)).toBe('communication');
      const speedup = (of: 'forward' | 'backward') =>
        passSeconds(machine, ring![of]) / passSeconds(machine, lv![of]);
      near(speedup('forward'), flops / (2 * rows * elements), 1e-3);
      near(speedup('backward'), (2 * flops) / (5 * rows * elements), 1e-3);
    }
  });

  it('change regime where the paper says', () => {
    const bound = (312e12 * 2) / (2 * 25e9);
    const at = (name: ScheduleName, axis: 'seq_q' | 'seq_kv', share: number) => {
      const cluster = { ...A100, ranks: 64, ranks_per_node: 1 };
      const sizes = { seq_q: 64, seq_kv: 64, [axis]: bound * share * 64 };
      const workload = { ...workloadOf(LLAMA, cluster, sizes), scalar_bytes: 0 };
      return regimeOf(nominalMachine(cluster), layerCost(name, workload, AS_PUBLISHED).forward);
    };
    expect(at('lv-xattn', 'seq_kv', 0.99)).toBe('communication');
    expect(at('lv-xattn', 'seq_kv', 1.01)).toBe('compute');
    expect(at('ring-attention', 'seq_q', 0.99)).toBe('communication');
    expect(at('ring-attention', 'seq_q', 1.01)).toBe('compute');
  });

  it('take the links that a route takes', () => {
    const machine = {
      ...nominalMachine(A100),
      within_node_bytes_per_s: 10,
      between_nodes_bytes_per_s: 2,
    };
    expect(transferSeconds(machine, 20, NEXT)).toBe(10);
    expect(transferSeconds(machine, 20, { to: 'next', stride: 4 })).toBe(40);
    // Of 15 others 12 are on other nodes, and 4 ranks share the node's link.
    expect(transferSeconds(machine, 15, { to: 'all', group: 16 })).toBe(24);
    expect(transferSeconds(machine, 15, { to: 'all', group: 4 })).toBe(1.5);
    expect(transferSeconds({ ...machine, ranks: 4 }, 20, NEXT)).toBe(2);
  });
});

const settings: fc.Arbitrary<Setting> = fc.record({
  model: fc.constantFrom(...MODELS),
  cluster: fc
    .record({ of: fc.constantFrom(...CLUSTERS), nodes: fc.integer({ min: 1, max: 9 }) })
    .map(({ of, nodes }) => ({ ...of, ranks: nodes * of.ranks_per_node })),
  seq_q: fc.integer({ min: 1, max: 100_000 }),
  seq_kv: fc.integer({ min: 1, max: 10_000_000 }),
});
const names = fc.constantFrom(...SCHEDULE_NAMES);
const bases = fc.constantFrom(...BASES);
const axes = fc.constantFrom('seq_q' as const, 'seq_kv' as const);

describe('laws of costs', () => {
  it('longer inputs take no less time, volume and memory', () => {
    fc.assert(
      fc.property(
        settings,
        names,
        bases,
        axes,
        fc.integer({ min: 1, max: 9 }),
        (s, name, b, axis, k) => {
          const more = { ...s, [axis]: s[axis] * k };
          const grown = (of: (setting: Setting) => number) =>
            expect(of(more)).toBeGreaterThanOrEqual(of(s) * (1 - 1e-12));
          grown((setting) => predict(b, setting, name).cross_attention_s);
          grown((setting) => predict(b, setting, name).iteration_s);
          grown((setting) => rankBytes(name, setting, false));
          grown((setting) => rankBytes(name, setting, true));
          const volume = ({ model, cluster, ...sizes }: Setting) =>
            sent(name, workloadOf(model, cluster, sizes)).reduce((sum, x) => sum + x, 0);
          grown(volume);
        },
      ),
      { seed: 1 },
    );
  });

  it('a faster machine takes proportionally less', () => {
    fc.assert(
      fc.property(settings, names, fc.integer({ min: 2, max: 50 }), (s, name, k) => {
        const { cluster } = s;
        const faster: Cluster = {
          ...cluster,
          peak_flops_per_s: cluster.peak_flops_per_s * k,
          within_node_bytes_per_s: (cluster.within_node_bytes_per_s ?? 1) * k,
          between_nodes_bytes_per_s: (cluster.between_nodes_bytes_per_s ?? 1) * k,
        };
        const of = (setting: Setting) => predict('nominal', setting, name);
        near(of({ ...s, cluster: faster }).iteration_s * k, of(s).iteration_s, 1e-9);
      }),
      { seed: 2 },
    );
  });

  it('on one rank every schedule sends nothing and takes the same', () => {
    const cluster = { ...A30, ranks: 1 };
    for (const model of MODELS) {
      const setting = { model, cluster, seq_q: 300, seq_kv: 5000 };
      const options = { ...AS_PUBLISHED, recomputes: false };
      for (const basis of BASES) {
        const first = predict(basis, setting, 'lv-xattn', options).cross_attention_s;
        for (const name of SCHEDULE_NAMES) {
          near(predict(basis, setting, name, options).cross_attention_s, first);
          expect(sent(name, workloadOf(model, cluster, setting))).toEqual([0, 0]);
        }
      }
    }
  });

  it('overlap never hurts, and saves at most half', () => {
    fc.assert(
      fc.property(settings, names, bases, (s, name, basis) => {
        const whole = predict(basis, s, name).cross_attention_s;
        const serial = predict(basis, s, name, { ...AS_PUBLISHED, overlap: false });
        expect(serial.cross_attention_s).toBeGreaterThanOrEqual(whole * (1 - 1e-12));
        expect(serial.cross_attention_s).toBeLessThanOrEqual(2 * whole * (1 + 1e-12));
      }),
      { seed: 3 },
    );
  });
});

describe('memory', () => {
  const w = workloadOf(LLAMA, A100, { seq_q: 2048, seq_kv: 384 * 6404 });

  it('saved is the paper’s', () => {
    const [sq, skv, e, n, h] = [2048, 384 * 6404, 4096, 16, 32];
    expect(savedStandard(w, 8)).toBe((8 * (2 * (2 * sq * e + 2 * skv * e) + 4 * sq * h)) / n);
    const layers = 8 * (2 * (sq * 4096 + sq * e) + 4 * sq * h);
    expect(savedRecomputed(w, 8)).toBe((2 * skv * 4096 + layers) / n);
  });

  it('peaks above what is saved, and fits exactly up to the longest input, as run too', () => {
    const room = 80 * 2 ** 30;
    for (const counted of [memoryOf, memoryAsRun]) {
      for (const name of SCHEDULE_NAMES) {
        for (const recompute of [false, true]) {
          const { saved_bytes, peak_bytes } = counted(name, w, 8, recompute);
          expect(peak_bytes).toBeGreaterThan(saved_bytes);
          const setting = { model: LLAMA, cluster: A100, seq_q: 2048, seq_kv: 1 };
          const bytesOf = (frames: number): number => {
            const seq_kv = frames * LLAMA.tokens_per_frame;
            return rankBytes(name, { ...setting, seq_kv }, recompute, counted);
          };
          const { frames } = longestInput(name, setting, recompute, counted);
          expect(bytesOf(frames)).toBeLessThanOrEqual(room);
          expect(bytesOf(frames + 1)).toBeGreaterThan(room);
        }
      }
    }
  });

  it('as run counts KV heads as they are, and dY where they are recomputed', () => {
    const [sq, skv, e, kv, n, h] = [2048, 384 * 6404, 4096, 1024, 16, 32];
    const kept = memoryAsRun('ring-attention', w, 8, false);
    expect(kept.saved_bytes).toBe((8 * (2 * (2 * sq * e + 2 * skv * kv) + 4 * sq * h)) / n);
    const again = memoryAsRun('lv-xattn', w, 8, true);
    const { forward_buffers_bytes: forward, backward_buffers_bytes: backward } = again;
    expect(again.saved_bytes).toBe(savedRecomputed(w, 8));
    expect(again.working_bytes).toBe(Math.max(forward, backward + (2 * skv * 4096) / n));
    expect(again.peak_bytes).toBe(again.saved_bytes + again.working_bytes);
  });

  it('has room for every input that was measured', () => {
    for (const row of PUBLISHED) {
      const setting = settingOf(row);
      const { memory_bytes } = setting.cluster;
      expect(rankBytes('lv-xattn', setting, true)).toBeLessThan(memory_bytes);
      expect(rankBytes('ring-attention', setting, false)).toBeLessThan(memory_bytes);
    }
  });

  it('of buffers, by hand', () => {
    // Bytes of a rank's blocks: Q 120, LSE 48, K 600, K of the KV heads 200, x 44, y 260.
    const [q, lse, k, grouped, x, y] = [120, 48, 600, 200, 44, 260];
    const table: Record<ScheduleName, [number, number]> = {
      'lv-xattn': [2 * q + 3 * (q + lse), 2 * (3 * q + lse) + 3 * q + 2 * k],
      'ring-attention': [4 * k + q + lse, 8 * k + 2 * q],
      ulysses: [2 * (q + k), 4 * (q + k)],
      'head-parallel': [4 * (x + y) + 2 * (q + k), 8 * (x + y) + 4 * (q + k)],
      'all-gather-kv': [8 * grouped + q + lse, 16 * grouped + 2 * q],
      'pass-q': [2 * q + 4 * (q + lse), 2 * (3 * q + lse) + 4 * q + 2 * k],
      // Two ranks swap heads: five K of the KV heads; eight, LV-XAttn's of queries beside them.
      usp: [5 * grouped + 4 * q + 3 * (q + lse), 2 * (3 * q + lse) + 5 * q + 8 * grouped],
      'token-ring': [2 * q + 5 * (q + lse), 2 * (3 * q + lse) + 5 * q + 2 * k],
    };
    for (const name of SCHEDULE_NAMES) {
      const [forward, backward] = table[name];
      const saved = memoryOf(name, SMALL, 3, false);
      expect([name, saved.working_bytes]).toEqual([name, Math.max(forward, backward)]);
      expect(saved.saved_bytes).toBe(savedStandard(SMALL, 3));
      const again = memoryOf(name, SMALL, 3, true);
      expect(again.working_bytes).toBe(Math.max(forward + 2 * k, backward + q + 2 * k + y));
      expect(again.saved_bytes).toBe(savedRecomputed(SMALL, 3));
    }
  });

  it('is 0 frames where not even the weights fit', () => {
    const setting = { model: modelNamed('llama-3-v-90b'), cluster: A30, seq_q: 1, seq_kv: 1 };
    expect(longestInput('lv-xattn', setting, true).frames).toBe(0);
  });
});

describe('the calibration', () => {
  it('is the least-squares fit of its source rows, to the digits given', () => {
    const source = PUBLISHED.filter((row) => row.source);
    expect(source.length).toBe(6);
    const fitted = calibrate(source);
    const pairs = [
      [CALIBRATION.attention, fitted.attention],
      [CALIBRATION.projections, fitted.projections],
      [CALIBRATION.dense, fitted.dense],
      ...Object.entries(CALIBRATION.links).map(([name, share]) => [share, fitted.links[name]!]),
    ];
    for (const [given, found] of pairs) near(given!, found!, 1e-3);
  });
});

describe('presets', () => {
  it('are the models of the paper', () => {
    // Layers of cross-attention, hidden, heads, KV heads, head dimension, d_y, tokens a frame.
    const table: [string, ...number[]][] = [
      ['llama-3-v-11b', 8, 4096, 32, 8, 128, 4096, 6404],
      ['llama-3-v-90b', 20, 8192, 64, 8, 128, 8192, 6404],
      ['mplug-owl3-7b', 4, 3584, 28, 4, 128, 3584, 729],
      ['mplug-owl3-2b', 4, 1536, 12, 2, 128, 1536, 729],
      ['mplug-owl3-1b', 4, 896, 14, 2, 64, 896, 729],
      ['openflamingo-9b', 8, 4096, 8, 8, 64, 1024, 64],
      ['openflamingo-3b', 24, 2048, 8, 8, 64, 1024, 64],
    ];
    const rows = MODELS.map((m) => [
      ...[m.name, m.cross_attention_layers, m.hidden, m.heads, m.kv_heads, m.head_dim],
      ...[m.visual_dim, m.tokens_per_frame],
    ]);
    expect(rows).toEqual(table);
    for (const m of MODELS) {
      expect(m.text_parameters + m.encoder_parameters).toBeLessThanOrEqual(m.parameters * 1.02);
      expect(m.text_parameters + m.encoder_parameters).toBeGreaterThan(m.parameters * 0.95);
    }
  });

  it('are the clusters of the paper', () => {
    const rows = CLUSTERS.map((c) => [
      ...[c.name, c.ranks, c.ranks_per_node, c.memory_bytes / 2 ** 30],
      ...[c.between_nodes_bytes_per_s, c.within_node_bytes_per_s, c.peak_flops_per_s],
    ]);
    expect(rows).toEqual([
      ['a100x16', 16, 4, 80, 25e9, 300e9, 312e12],
      ['a30x8', 8, 1, 24, 1.25e9, undefined, 165e12],
      ['a100x12', 12, 3, 40, 25e9, 64e9, 312e12],
    ]);
  });

  it('swap heads within a node, or where a node has one rank within √n', () => {
    const degree = (ranks: number, ranks_per_node: number, heads: number) =>
      uspGroup({ ...SMALL, ranks, ranks_per_node, heads });
    expect(degree(16, 4, 32)).toBe(4);
    expect(degree(12, 3, 32)).toBe(1);
    expect(degree(16, 4, 14)).toBe(2);
    expect(degree(8, 1, 28)).toBe(2);
    expect(degree(4, 1, 4)).toBe(2);
    expect(degree(36, 1, 12)).toBe(6);
    expect(degree(7, 1, 7)).toBe(1);
    expect(degree(10 ** 9 + 7, 1, 64)).toBe(1);
    // No grid within √6, but one above it.
    expect(degree(6, 1, 3)).toBe(3);
    expect(degree(6, 3, 2)).toBe(1);
    expect(degree(1, 1, 28)).toBe(1);
    expect(degree(10 ** 9, 10 ** 9, 7)).toBe(1);
  });
});

describe('data from outside', () => {
  it('presets are of their form', () => {
    for (const model of MODELS) expect(parseModel(model, 'preset')).toEqual(model);
    for (const cluster of CLUSTERS) expect(parseCluster(cluster, 'preset')).toEqual(cluster);
  });

  it('is refused by the field that is wrong', () => {
    const refused = (change: object, sentence: string) =>
      expect(() => parseCluster({ ...A100, ...change }, 'mine.json')).toThrow(sentence);
    refused(
      { between_nodes_bytes_per_s: undefined },
      'mine.json: "between_nodes_bytes_per_s" expected bytes per second, for there are several nodes, got nothing',
    );
    refused({ within_node_bytes_per_s: undefined }, '"within_node_bytes_per_s" expected bytes');
    refused({ between_nodes_bytes_per_s: 0 }, 'expected a number above 0, got 0');
    refused({ between_nodes_bytes_per_s: '25 GB/s' }, 'expected a number, got "25 GB/s"');
    refused({ ranks: 0 }, '"ranks" expected a number above 0, got 0');
    refused({ ranks: 2.5 }, '"ranks" expected a whole number, got 2.5');
    refused({ ranks_per_node: 3 }, '"ranks_per_node" expected a divisor of ranks, got 3');
    refused({ speed: 9 }, 'mine.json: expected no field "speed"');
    expect(() => parseCluster([], 'mine.json')).toThrow('mine.json: expected an object, got []');
    expect(() => parseModel({ ...LLAMA, kv_heads: 5 }, 'm.json')).toThrow(
      'm.json: "kv_heads" expected a divisor of heads, got 5',
    );
    expect(() => parseModel({ ...LLAMA, element_bytes: 3 }, 'm.json')).toThrow('"element_bytes"');
  });
});
