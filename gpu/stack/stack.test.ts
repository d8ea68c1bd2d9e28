import type { BigNumber } from 'mathjs';
import { describe, expect, it } from 'vitest';
import { drawing } from '../../reference/case/draw-case.ts';
import { mapTensor, type Tensor, toFlat } from '../../reference/numbers/tensor.ts';
import { STACKS, stackOf, stackTensors } from '../testing/stacks.ts';
import { definedAttention } from './attention.ts';
import { drawStack } from './draw.ts';
import { bigNumbers, realNumbers } from './numbers.ts';
import type { StackInputs, StackShape } from './shape.ts';
import { evaluateStack, stackForward } from './stack.ts';

const numbers = bigNumbers(45);
const { arithmetic } = numbers;
const number = (x: number) => arithmetic.fromNumber(x);

function lifted(s: StackShape, seed: number): StackInputs<BigNumber> {
  const drawn = drawStack(seed, s, { keys_per_image: 2 });
  const over = (tensor: Tensor) => mapTensor(tensor, number);
  return {
    ...{ mediaText: drawn.mediaText, mediaKey: drawn.mediaKey },
    ...{ x: over(drawn.x), y: over(drawn.y), dOut: over(drawn.dOut) },
    layers: drawn.layers.map((weights) =>
      Object.fromEntries(Object.entries(weights).map(([name, w]) => [name, over(w)])),
    ),
  };
}

async function loss(s: StackShape, inputs: StackInputs<BigNumber>): Promise<BigNumber> {
  const attention = definedAttention(numbers, s, inputs);
  const out = await stackForward(s, inputs, numbers, attention, { recompute: false });
  const weights = toFlat(inputs.dOut);
  return toFlat(out).reduce((sum, o, n) => sum.plus(o.times(weights[n]!)), arithmetic.zero);
}

/** (L(p + h v) − L(p − h v))/2h, p restored. */
async function centralDifference(
  s: StackShape,
  inputs: StackInputs<BigNumber>,
  [tensor, direction]: [Tensor<BigNumber>, readonly BigNumber[]],
  h: BigNumber,
): Promise<BigNumber> {
  const before = toFlat(tensor);
  const move = (by: BigNumber) => {
    for (const [n, p] of before.entries()) tensor.data[n] = p.plus(by.times(direction[n]!));
  };
  move(h);
  const up = await loss(s, inputs);
  move(h.negated());
  const down = await loss(s, inputs);
  move(arithmetic.zero);
  return up.minus(down).dividedBy(h.times(2));
}

describe('gradients of whole stacks equal central differences in 45 digits', () => {
  it.each(STACKS)('%s', async (_, changes) => {
    const s = stackOf(changes);
    const inputs = lifted(s, 5);
    const attention = definedAttention(numbers, s, inputs);
    const { gradients } = await evaluateStack(s, inputs, numbers, attention, { recompute: true });
    const found = new Map(stackTensors(gradients));
    const { normal } = drawing(17);
    const [h, tenth] = [number(2 ** -40), number(2 ** -40).dividedBy(10)];
    const noise = number(1e-42)
      .times(s.seq_q * 100)
      .dividedBy(tenth);
    const tensors = stackTensors(inputs);
    expect([...found.keys()]).toEqual(tensors.map(([name]) => name));
    for (const [name, tensor] of tensors) {
      // In a direction that every element of the tensor has a share in.
      const direction = toFlat(tensor).map(() => number(normal()));
      const truth = toFlat(found.get(name)!).reduce(
        (sum, g, n) => sum.plus(g.times(direction[n]!)),
        arithmetic.zero,
      );
      expect(truth.isZero(), `${name} does nothing`).toBe(false);
      const along: [Tensor<BigNumber>, BigNumber[]] = [tensor, direction];
      const coarse = (await centralDifference(s, inputs, along, h)).minus(truth).abs();
      const fine = (await centralDifference(s, inputs, along, tenth)).minus(truth).abs();
      // The error is h²·f‴/6, and falls a hundredfold with h/10.
      expect(coarse.lessThan(1e-19), `${name} ${coarse}`).toBe(true);
      const falls = fine.times(99).lessThan(coarse) || fine.lessThan(noise);
      expect(falls, `${name} ${coarse} then ${fine}`).toBe(true);
    }
  });
});

describe('a stack in float64', () => {
  it('passes text before the first image on as it is', async () => {
    const real = realNumbers('f64');
    const s = stackOf({ norm: 'layer', media: 'immediate', seq_q: 9, seq_kv: 6 });
    const inputs = drawStack(3, s, { keys_per_image: 2 });
    const run = await evaluateStack(s, inputs, real, definedAttention(real, s, inputs), {
      recompute: true,
    });
    const row = (tensor: Tensor, i: number) =>
      Array.from({ length: s.hidden }, (_, c) => tensor.get(0, i, c));
    const images = Array.from({ length: 9 }, (_, i) => inputs.mediaText!.get(0, i));
    expect(images).toContain(0);
    expect(Math.max(...images)).toBe(3);
    for (const [i, image] of images.entries()) {
      const same = row(run.out, i).every((value, c) => value === inputs.x.get(0, i, c));
      expect(same, `row ${i}`).toBe(image === 0);
      const back = row(run.gradients.x, i).every((value, c) => value === inputs.dOut.get(0, i, c));
      expect(back, `gradient of row ${i}`).toBe(image === 0);
    }
  });

  it('refuses what does not fit, by name', async () => {
    const real = realNumbers('f64');
    const s = stackOf({ media: 'previous' });
    const inputs = drawStack(1, s);
    const run = (shape: StackShape, given: StackInputs<number>) =>
      evaluateStack(shape, given, real, definedAttention(real, s, inputs), { recompute: false });
    await expect(run(s, { ...inputs, y: inputs.x })).rejects.toThrow(
      '"y" expected shape [1,4,3], got [1,3,4]',
    );
    await expect(run(s, { ...inputs, mediaKey: null })).rejects.toThrow('"mediaKey" expected');
    await expect(run({ ...s, kv_heads: 3 }, inputs)).rejects.toThrow(
      '"kv_heads" expected a divisor of heads (2), got 3',
    );
    await expect(run(s, { ...inputs, layers: [{}, {}] })).rejects.toThrow(
      '"layers[0].wQ" expected shape [4,4], got none',
    );
    const uneven = { ...s, partition: { ranks: 2, q: [2, 2], kv: [4, 0] } };
    await expect(run(uneven, inputs)).rejects.toThrow('"partition.q" expected 2 sizes');
  });
});
