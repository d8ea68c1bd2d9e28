import fc from 'fast-check';
import type { Fraction } from 'mathjs';
import { afterAll, describe, expect, it } from 'vitest';
import { interleavingArbitrary } from '../../properties/arbitraries/interleaving.ts';
import type { Partition } from '../../reference/case/case.ts';
import { drawing } from '../../reference/case/draw-case.ts';
import { mapTensor, type Tensor, toFlat } from '../../reference/numbers/tensor.ts';
import { closeWorkers, runOnOneThread } from '../run.ts';
import { SCHEDULE_NAMES, type ScheduleName } from '../schedules/index.ts';
import { exactDevice } from '../testing/rational-device.ts';
import { constants, type Series, seriesOver } from '../testing/series.ts';
import { seriesNumbers } from '../testing/series-numbers.ts';
import { seriesStack } from '../testing/series-stacks.ts';
import { STACKS, stackOf, stackTensors } from '../testing/stacks.ts';
import { definedAttention } from './attention.ts';
import { distributedAttention } from './distributed.ts';
import { drawStack } from './draw.ts';
import { type DeviceNumbers, realNumbers } from './numbers.ts';
import { runStack } from './run.ts';
import type { StackInputs, StackShape } from './shape.ts';
import { evaluateStack, type StackRun, stackForward } from './stack.ts';

/** Sizes that add up, zeros among them. */
const split = (total: number, ranks: number): fc.Arbitrary<number[]> =>
  fc.array(fc.nat({ max: total }), { minLength: ranks - 1, maxLength: ranks - 1 }).map((cuts) => {
    const ends = [...cuts.sort((a, b) => a - b), total];
    return ends.map((end, n) => end - (ends[n - 1] ?? 0));
  });
const layouts = ({ seq_q, seq_kv }: StackShape, ranks: fc.Arbitrary<number>) =>
  ranks.chain((n) =>
    fc.record({ ranks: fc.constant(n), q: split(seq_q, n), kv: split(seq_kv, n) }),
  );

const POWERS = 4;
const numbers = seriesNumbers(seriesOver(constants, POWERS));

const undistributed = (s: StackShape, inputs: StackInputs<Series<Fraction>>) =>
  evaluateStack(s, inputs, numbers, definedAttention(numbers, s, inputs), { recompute: false });

/** The same over ranks, on series. */
async function onRanks<T>(
  of: DeviceNumbers<T>,
  s: StackShape,
  inputs: StackInputs<T>,
  { schedule, seed, recompute }: { schedule: ScheduleName; seed: number; recompute: boolean },
): Promise<StackRun<T>> {
  const machine = exactDevice(of.arithmetic);
  const attention = distributedAttention(of, s, inputs, {
    ...{ schedule, machine },
    run: (shards, passes) => runOnOneThread(shards, passes, machine, { seed }),
  });
  return evaluateStack(s, inputs, of, attention, { recompute });
}

const shown = (tensor: Tensor<Series<Fraction>>): string[] =>
  toFlat(tensor).map((series) => series.map((c) => c.toFraction()).join(' '));

/** Every output by its name, as text. */
const all = ({ out, gradients }: StackRun<Series<Fraction>>) =>
  Object.fromEntries(
    [['out', out] as const, ...stackTensors(gradients)].map(([name, t]) => [name, shown(t)]),
  );

const whole = (s: StackShape, partition: Partition): StackShape => ({ ...s, partition });

describe('a stack over ranks is the undistributed one, exactly, as power series', () => {
  it.each(STACKS)('%s, over any layout and interleaving', async (_, changes) => {
    const s = stackOf(changes);
    let spread = 0;
    await fc.assert(
      fc.asyncProperty(
        layouts(s, fc.integer({ min: 1, max: 4 })),
        interleavingArbitrary(),
        fc.boolean(),
        fc.integer({ min: 1, max: 100 }),
        async (partition, seed, recompute, drawn) => {
          const inputs = seriesStack(drawn, s);
          const expected = all(await undistributed(s, inputs));
          const how = { schedule: 'lv-xattn', seed, recompute } as const;
          expect(all(await onRanks(numbers, whole(s, partition), inputs, how))).toEqual(expected);
          if (partition.ranks > 1) spread++;
          // Scores, gates and norms matter: coefficients are no constants.
          expect(Math.max(...expected.out!.map((o) => o.split(' ').length))).toBe(POWERS);
        },
      ),
      { seed: 3, numRuns: 6 },
    );
    expect(spread).toBeGreaterThan(2);
  });

  it.each(SCHEDULE_NAMES)('under %s', async (schedule) => {
    const s = stackOf({ norm: 'rms', headNorm: true, fusion: 'softmax', media: 'previous' });
    const inputs = seriesStack(8, s);
    const partition = { ranks: 2, q: [1, 2], kv: [3, 1] };
    const expected = all(await undistributed(s, inputs));
    const how = { schedule, seed: 1, recompute: true };
    expect(all(await onRanks(numbers, whole(s, partition), inputs, how))).toEqual(expected);
  });
});

describe('gradients of a stack over ranks are its derivative, exactly', () => {
  it.each(STACKS)('%s', async (_, changes) => {
    const s = stackOf(changes);
    const inputs = seriesStack(31, s);
    const base = seriesOver(constants, 3);
    const of = seriesNumbers(base);
    const partition = { ranks: 2, q: [2, 1], kv: [1, 3] };
    const how = { schedule: 'ring-attention', seed: 2, recompute: true } as const;
    const { gradients } = await onRanks(of, whole(s, partition), inputs, how);
    // Every input moves: p + δ v, δ² = 0.
    const dual = seriesNumbers(seriesOver(base, 2));
    const { uniform } = drawing(4);
    let along = base.zero;
    const slopes = new Map(stackTensors(gradients));
    const moved = (name: string, tensor: Tensor<Series<Fraction>>) => {
      const slope = toFlat(slopes.get(name)!);
      let n = 0;
      return mapTensor(tensor, (p): Series<Series<Fraction>> => {
        const v = base.fromNumber(1 + Math.floor(uniform() * 8));
        along = base.add(along, base.mul(v, slope[n++]!));
        return [p, v];
      });
    };
    const lifted: StackInputs<Series<Series<Fraction>>> = {
      ...{ mediaText: inputs.mediaText, mediaKey: inputs.mediaKey },
      ...{ x: moved('x', inputs.x), y: moved('y', inputs.y) },
      dOut: mapTensor(inputs.dOut, (d) => [d]),
      layers: inputs.layers.map((weights, l) =>
        Object.fromEntries(
          Object.entries(weights).map(([name, w]) => [name, moved(`layers[${l}].${name}`, w)]),
        ),
      ),
    };
    const attention = definedAttention(dual, s, lifted);
    const out = await stackForward(s, lifted, dual, attention, { recompute: true });
    const cotangents = toFlat(inputs.dOut);
    const derivative = toFlat(out).reduce(
      (sum, o, n) => base.add(sum, base.mul(o[1] ?? base.zero, cotangents[n]!)),
      base.zero,
    );
    expect(derivative.length).toBeGreaterThan(0);
    expect(derivative.map((c) => c.toFraction())).toEqual(along.map((c) => c.toFraction()));
  });
});

describe('a stack in numbers', () => {
  const s = stackOf({
    ...{ norm: 'rms', headNorm: true, fusion: 'softmax', media: 'previous', batch: 2 },
    ...{ seq_q: 7, seq_kv: 12, partition: { ranks: 3, q: [3, 0, 4], kv: [5, 6, 1] } },
  });
  const inputs = drawStack(2, s, { keys_per_image: 4 });
  const bits = ({ out, gradients }: StackRun<number>) =>
    [['out', out] as const, ...stackTensors(gradients)].map(([name, t]) => [name, toFlat(t)]);
  const how = { schedule: 'lv-xattn', device: 'reference', recompute: false } as const;

  afterAll(closeWorkers);

  it('has the same bits under every interleaving, on threads and in processes', async () => {
    const first = await runStack(s, inputs, { ...how, transport: 'simulated', seed: 1 });
    for (const seed of [2, 3, 4]) {
      const other = await runStack(s, inputs, { ...how, transport: 'simulated', seed });
      expect(bits(other)).toEqual(bits(first));
    }
    for (const transport of ['threads', 'processes'] as const) {
      expect(bits(await runStack(s, inputs, { ...how, transport }))).toEqual(bits(first));
    }
    // Each of two layers attends to two sets of keys; nothing is run again to go back.
    expect(first.traffic.passes).toEqual({ forward: 4, backward: 4 });
  });

  it.each(['reference', 'cpu', 'webasm'] as const)(
    'is near the definition on %s',
    async (device) => {
      const alone = { ...s, partition: { ranks: 1, q: [7], kv: [12] } };
      const real = realNumbers('f64');
      const defined = definedAttention(real, alone, inputs);
      const expected = await evaluateStack(alone, inputs, real, defined, { recompute: false });
      const run = await runStack(s, inputs, {
        ...how,
        device,
        recompute: true,
        transport: 'simulated',
      });
      expect(run.traffic.backend).toBe(device);
      const truths = bits(expected);
      for (const [n, [name, values]] of bits(run).entries()) {
        const truth = truths[n]![1] as number[];
        const size = Math.max(...truth.map(Math.abs));
        const off = Math.max(...(values as number[]).map((x, m) => Math.abs(x - truth[m]!)));
        expect(off / size, `${name}`).toBeLessThan(device === 'reference' ? 1e-13 : 1e-4);
      }
    },
  );
});
