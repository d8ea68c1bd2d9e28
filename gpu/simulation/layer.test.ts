/**
 * A model's layer on the clock takes what its plan says, where nodes have one rank and blocks are equal.
 * @module
 */
import { describe, expect, it } from 'vitest';
import { CLUSTERS } from '../costs/clusters.ts';
import { MODELS } from '../costs/models.ts';
import { bytesSent } from '../costs/phases.ts';
import { predict } from '../costs/prediction.ts';
import { layerCost, SCHEDULE_NAMES } from '../costs/schedules.ts';
import { AS_PUBLISHED, workloadOf } from '../costs/workload.ts';
import { layerByFormula, simulateLayer, type Watch } from './layer.ts';

const a30 = CLUSTERS.find(({ name }) => name === 'a30x8')!;
const OPTIONS = { ...AS_PUBLISHED, backwardSends: 'delta', expandedHeads: false } as const;

describe('a layer on the clock', () => {
  for (const model of MODELS) {
    for (const name of ['lv-xattn', 'ring-attention'] as const) {
      it(`takes what is planned: ${name}, ${model.name}`, async () => {
        const cluster = { ...a30, between_nodes_latency_s: 1e-5, kernel_overhead_s: 1e-5 };
        const setting = { model, cluster, seq_q: 1024, seq_kv: 64 * model.tokens_per_frame };
        const planned = predict('nominal', setting, name, OPTIONS);
        const cost = layerCost(name, workloadOf(model, cluster, setting), OPTIONS);
        for (const recompute of [false, true]) {
          const layer = await simulateLayer(name, setting, { recompute });
          for (const direction of ['forward', 'backward'] as const) {
            const { seconds, bytes_sent } = layer[direction];
            const formula = planned[`${direction}_s`];
            expect(Math.abs(seconds / formula - 1)).toBeLessThan(1e-12);
            expect(new Set(bytes_sent)).toEqual(new Set([bytesSent(cost[direction])]));
          }
        }
      });
    }
  }

  it('is the same on two threads as on one, where there are ranks enough for two', async () => {
    const model = MODELS.find(({ name }) => name === 'mplug-owl3-7b')!;
    const cluster = { ...a30, ranks: 256, ranks_per_node: 8 };
    const setting = { model, cluster, seq_q: 1001, seq_kv: 7001 };
    const atOnce = await simulateLayer('usp', setting, { recompute: true });
    // A pass begins where the one before ends only for whoever watches.
    const offsets: number[] = [];
    const watch: Watch = (_, __, offset_s) => {
      offsets.push(offset_s);
      return null;
    };
    expect(await simulateLayer('usp', setting, { recompute: true, watch })).toEqual(atOnce);
    expect(offsets).toEqual([0, atOnce.forward.seconds]);
    expect(atOnce.forward.seconds).not.toBe(atOnce.backward.seconds);
  });

  it('sends under USP what the formula says, in groups of any size that is asked for', async () => {
    const model = MODELS.find(({ name }) => name === 'mplug-owl3-7b')!;
    const cluster = { ...a30, ranks_per_node: 4 };
    const sent: number[] = [];
    for (const group of [1, 2, 4, undefined]) {
      const setting = { model, cluster, seq_q: 1001, seq_kv: 7001, group };
      const { forward, backward } = await simulateLayer('usp', setting, { recompute: false });
      const formula = layerByFormula('usp', setting);
      expect(forward.bytes_sent).toEqual(formula.forward.bytes_sent);
      expect(backward.bytes_sent).toEqual(formula.backward.bytes_sent);
      sent.push(Math.max(...forward.bytes_sent));
    }
    // Each group sends otherwise; a node's ranks are the group where none is asked for.
    expect(new Set(sent).size).toBe(3);
    expect(sent[3]).toBe(sent[2]);
  });

  it('runs under every schedule that the model’s heads allow, and refuses the others', async () => {
    const model = MODELS.find(({ name }) => name === 'mplug-owl3-7b')!;
    const setting = { model, cluster: a30, seq_q: 1001, seq_kv: 7001 };
    const refused: string[] = [];
    for (const name of SCHEDULE_NAMES) {
      try {
        const { forward, backward } = await simulateLayer(name, setting, { recompute: false });
        const formula = layerByFormula(name, setting);
        expect(forward.bytes_sent).toEqual(formula.forward.bytes_sent);
        expect(backward.bytes_sent).toEqual(formula.backward.bytes_sent);
        expect(Math.min(forward.seconds, backward.seconds)).toBeGreaterThan(0);
      } catch (error) {
        expect(String(error)).toContain('28 heads over 8 ranks do not come out even');
        refused.push(name);
      }
    }
    expect(refused).toEqual(['ulysses', 'head-parallel']);
  });
});
