import { describe, expect, it } from 'vitest';
import { toFlat } from '../../reference/numbers/tensor.ts';
import { savedRecomputed, savedStandard } from '../costs/memory.ts';
import { MODELS } from '../costs/models.ts';
import { workloadOf } from '../costs/workload.ts';
import { STACKS, stackOf, stackTensors } from '../testing/stacks.ts';
import { drawStack } from './draw.ts';
import { keptByFormula, keptParts } from './kept.ts';
import { softmaxesOf } from './layer.ts';
import { presetOf } from './presets.ts';
import { runStack } from './run.ts';
import { type StackShape, weightShapes } from './shape.ts';
import type { StackRun } from './stack.ts';

/** Every number that a run gives, by name, as bits. */
const bits = ({ out, gradients }: StackRun<number>) =>
  [['out', out] as const, ...stackTensors(gradients)].map(([name, tensor]) => [
    name,
    new BigUint64Array(Float64Array.from(toFlat(tensor)).buffer),
  ]);

const EVEN = { ranks: 2, q: [4, 4], kv: [6, 6] };
const UNEVEN = { ranks: 3, q: [1, 0, 7], kv: [2, 9, 1] };
const longer = { seq_q: 8, seq_kv: 12 };

async function both(s: StackShape, device: 'reference' | 'cpu', keys_per_image = 4) {
  const inputs = drawStack(6, s, { keys_per_image });
  const how = { transport: 'simulated', device, seed: 3 } as const;
  const kept = await runStack(s, inputs, { ...how, recompute: false });
  return { kept, recomputed: await runStack(s, inputs, { ...how, recompute: true }) };
}

describe('recomputing Q, K and V', () => {
  it.each(STACKS)('changes no bit, and runs no attention again: %s', async (_, changes) => {
    for (const device of ['reference', 'cpu'] as const) {
      const { kept, recomputed } = await both(
        stackOf({ ...changes, ...longer, partition: UNEVEN }),
        device,
      );
      expect(bits(recomputed)).toEqual(bits(kept));
      expect(recomputed.traffic).toEqual(kept.traffic);
      // Once for each layer and set of keys.
      const { layers, ...parts } = stackOf(changes);
      const passes = layers * softmaxesOf(parts).flat().length;
      expect(recomputed.traffic.passes).toEqual({ forward: passes, backward: passes });
    }
  });
});

describe('what a stack keeps is counted in its own storage, and is', () => {
  it.each(STACKS)('what the formulas say: %s', async (_, changes) => {
    const s = stackOf({ ...changes, ...longer, partition: EVEN });
    const { kept, recomputed } = await both(s, 'cpu');
    for (const [run, recompute] of [
      [kept, false],
      [recomputed, true],
    ] as const) {
      for (const { bytes, of } of run.kept) {
        const { attention, inputs } = keptByFormula(s, recompute, 4);
        expect(keptParts(of)).toEqual({ attention, inputs });
        expect(bytes).toBe(attention + inputs);
      }
    }
  });

  it('the same over all ranks of any layout', async () => {
    const s = stackOf({ ...longer, norm: 'rms', fusion: 'sigmoid', partition: UNEVEN });
    const { kept, recomputed } = await both(s, 'cpu');
    for (const [run, recompute] of [
      [kept, false],
      [recomputed, true],
    ] as const) {
      const { attention, inputs } = keptByFormula(s, recompute, 4);
      const sum = run.kept.reduce((bytes, rank) => bytes + rank.bytes, 0);
      expect(sum / 3).toBeCloseTo(attention + inputs, 9);
    }
  });

  // PAPER: N·(b(2·S_Q·e + 2·S_KV·e)/n + 4·S_Q·h/n) and b·S_KV·d_y/n + N·(b(S_Q·d + S_Q·e)/n + 4·S_Q·h/n).
  it("the paper's own formulas, where every query head has its keys", async () => {
    const shrink = { width: 32, heads: 2, tokens_per_frame: 8 };
    const { shape, keys_per_image } = presetOf('openflamingo-9b', {
      ...{ seq_q: 8, frames: 4, ranks: 4, layers: 3, shrink },
    });
    const { kept, recomputed } = await both(shape, 'cpu', keys_per_image);
    const [b, n, layers] = [4, 4, 3];
    const { seq_q, seq_kv, heads, head_dim, hidden, visual_dim } = shape;
    const e = heads * head_dim;
    const standard =
      layers * ((b * (2 * seq_q * e + 2 * seq_kv * e)) / n + (4 * seq_q * heads) / n);
    const lv =
      (b * seq_kv * visual_dim) / n +
      layers * ((b * (seq_q * hidden + seq_q * e)) / n + (4 * seq_q * heads) / n);
    for (const rank of kept.kept) expect(keptParts(rank.of).attention).toBe(standard);
    for (const rank of recomputed.kept) expect(rank.bytes).toBe(lv);
    const model = { ...MODELS[0]!, heads, kv_heads: heads, head_dim, hidden, visual_dim };
    const on = { ranks: 4, ranks_per_node: 4 };
    const w = workloadOf({ ...model, element_bytes: 4 }, on, { seq_q, seq_kv });
    expect([savedStandard(w, layers), savedRecomputed(w, layers)]).toEqual([standard, lv]);
  });
});

describe('presets', () => {
  it.each(MODELS.map((model) => [model.name, model] as const))('%s', async (name, model) => {
    const own = presetOf(name, { seq_q: 2048, frames: 3, ranks: 5 }).shape;
    expect(own).toMatchObject({
      ...{ layers: model.cross_attention_layers, seq_kv: 3 * model.tokens_per_frame },
      ...{ heads: model.heads, kv_heads: model.kv_heads, head_dim: model.head_dim },
      ...{ hidden: model.hidden, visual_dim: model.visual_dim },
    });
    // Four keys an image: of one alone queries would have no gradient.
    const shrink = { heads: 4, width: 32, tokens_per_frame: model.tokens_per_frame / 4 };
    const { shape, keys_per_image } = presetOf(name, {
      ...{ seq_q: 7, frames: 3, ranks: 2, layers: 2, shrink },
    });
    expect(shape.heads / shape.kv_heads).toBe(model.heads / model.kv_heads);
    const inputs = drawStack(1, shape, { keys_per_image });
    const run = await runStack(shape, inputs, {
      ...{ transport: 'simulated', device: 'reference', schedule: 'ring-attention' },
      recompute: true,
    });
    for (const [what, tensor] of stackTensors(run.gradients)) {
      const values = toFlat(tensor);
      expect(values.every(Number.isFinite), what).toBe(true);
      expect(
        values.some((value) => value !== 0),
        what,
      ).toBe(true);
    }
  });

  it('have the parts of their families', () => {
    const parts = (name: string, changes = {}) => {
      const { shape } = presetOf(name, { seq_q: 4, frames: 1, ranks: 1, ...changes });
      return [...weightShapes(shape).map(([weight]) => weight), shape.media];
    };
    const plain = ['norm', 'wQ', 'wK', 'wV', 'wO'];
    expect(parts('openflamingo-3b')).toEqual([
      ...['norm', 'normBias', 'wQ', 'wK', 'wV', 'wO', 'gate', 'immediate'],
    ]);
    expect(parts('llama-3-v-90b')).toEqual([...plain, 'qNorm', 'kNorm', 'gate', 'previous']);
    expect(parts('mplug-owl3-7b')).toEqual([...plain, 'gate', 'wKText', 'wVText', 'previous']);
    expect(parts('mplug-owl3-7b', { fusion: 'softmax' })).toEqual([
      ...[...plain, 'wKText', 'wVText', 'previous'],
    ]);
  });

  it('refuse what makes no sense, by name', () => {
    const sizes = { seq_q: 4, frames: 1, ranks: 1 };
    expect(() => presetOf('llama', sizes)).toThrow('"model" expected one of llama-3-v-11b');
    expect(() => presetOf('llama-3-v-11b', { ...sizes, frames: 0 })).toThrow(
      '"frames" expected a positive integer, got 0',
    );
    expect(() => presetOf('llama-3-v-11b', { ...sizes, shrink: { width: 0.5 } })).toThrow(
      '"shrink.width" expected a number of at least 1, got 0.5',
    );
  });
});
