/**
 * Where the best choice is said to change, against what every schedule takes on both sides, and
 * against a dense scan.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changesAlong, usable } from './choice.ts';
import { CLUSTERS, type Cluster } from './clusters.ts';
import { MODELS, type Model } from './models.ts';
import { BASES, type Basis, machineOf, predict, predictOn, type Setting } from './prediction.ts';
import { refusal, SCHEDULE_NAMES, type ScheduleName } from './schedules.ts';
import { AS_PUBLISHED, AS_RUN, type Options, workloadOf } from './workload.ts';

const modelNamed = (name: string): Model => MODELS.find((one) => one.name === name)!;
const clusterNamed = (name: string): Cluster => CLUSTERS.find((one) => one.name === name)!;
const LLAMA = modelNamed('llama-3-v-11b');
const A100 = clusterNamed('a100x16');
const A30 = clusterNamed('a30x8');

describe('the best choice', () => {
  it('changes exactly where it is said to', () => {
    for (const basis of BASES) {
      for (const axis of ['seq_q', 'seq_kv'] as const) {
        const setting = { model: LLAMA, cluster: A100, seq_q: 2048, seq_kv: 384 * 6404 };
        const changes = changesAlong(axis, basis, setting);
        expect(changes.length).toBeGreaterThan(1);
        changes.slice(1).forEach(({ at, best }, n) => {
          const seconds = (length: number, name: ScheduleName) =>
            predict(basis, { ...setting, [axis]: length }, name).cross_attention_s;
          const before = changes[n]!.best;
          // Times within 10⁻⁹ of each other are a tie, for the schedule that is named first.
          expect(seconds(at, best)).toBeLessThanOrEqual(seconds(at, before) * (1 + 1e-8));
          expect(seconds(at - 1, before)).toBeLessThanOrEqual(seconds(at - 1, best) * (1 + 1e-8));
        });
      }
    }
  });

  // A scan that knows nothing of convexity: lengths as dense as one in ninety.
  const scanned = (setting: Setting, axis: 'seq_q' | 'seq_kv', basis: Basis, options: Options) => {
    const changes = changesAlong(axis, basis, setting, options);
    const names = usable(setting.model, setting.cluster);
    const machine = machineOf(setting.cluster, basis);
    const slower: string[] = [];
    for (let n = 0; n <= 20 * 64; n++) {
      const length = Math.round(2 ** (8 + n / 64));
      const seconds = (name: ScheduleName) =>
        predictOn(machine, { ...setting, [axis]: length }, name, options).cross_attention_s;
      const said = changes.findLast(({ at }) => at <= length)!.best;
      const least = Math.min(...names.map(seconds));
      if (seconds(said) > least * (1 + 1e-8)) slower.push(`${length}: ${said}`);
    }
    const where = `${setting.model.name}, ${setting.cluster.name}, ${axis}`;
    expect(slower, where).toEqual([]);
    return changes;
  };

  it('changes twice within an octave too', () => {
    const model = modelNamed('mplug-owl3-2b');
    const setting = { model, cluster: A30, seq_q: 2048, seq_kv: 384 * model.tokens_per_frame };
    const list = scanned(setting, 'seq_q', 'calibrated', AS_RUN);
    expect(list.map(({ best }) => best)).toEqual(['token-ring', 'ring-attention']);
    // There and back: whatever is looked at only at powers of two sees nothing of LV-XAttn.
    const back = scanned({ ...setting, cluster: A100 }, 'seq_kv', 'calibrated', AS_PUBLISHED);
    const n = back.findIndex(({ best }) => best === 'lv-xattn');
    expect(back.slice(n - 1, n + 2).map(({ best }) => best)).toEqual(['usp', 'lv-xattn', 'usp']);
    expect(back[n]?.at).toBeGreaterThan(2 ** 16);
    expect(back[n + 1]?.at).toBeLessThan(2 ** 17);
  });

  it('is what a dense scan finds, of any model and cluster', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...MODELS),
        fc.constantFrom(...CLUSTERS),
        fc.constantFrom('seq_q', 'seq_kv'),
        fc.constantFrom(...BASES),
        fc.constantFrom(AS_PUBLISHED, AS_RUN),
        fc.record({ seq_q: fc.integer({ min: 1, max: 2 ** 16 }), frames: fc.nat({ max: 2000 }) }),
        (model, cluster, axis, basis, options, { seq_q, frames }) => {
          const seq_kv = (1 + frames) * model.tokens_per_frame;
          scanned({ model, cluster, seq_q, seq_kv }, axis, basis, options);
        },
      ),
      { numRuns: 30, seed: 17 },
    );
  });

  it('leaves out what heads do not allow', () => {
    const w = workloadOf(modelNamed('mplug-owl3-7b'), A100, { seq_q: 1, seq_kv: 1 });
    expect(SCHEDULE_NAMES.filter((name) => refusal(name, w) !== null)).toEqual([
      'ulysses',
      'head-parallel',
    ]);
  });
});
