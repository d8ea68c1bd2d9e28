import { describe, expect, it } from 'vitest';
import { drawCase } from '../../reference/case/draw-case.ts';
import { run } from '../run.ts';
import { clocked } from './clocked.ts';
import { referenceDevice } from './reference.ts';

/** A device whose sums take until somebody lets them go. */
function slowDevice() {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  const device = referenceDevice();
  return {
    letGo: () => resolve(),
    device: {
      ...device,
      add: (...args: Parameters<typeof device.add>) => promise.then(() => device.add(...args)),
    },
  };
}

describe('a device with a clock', () => {
  it('counts arithmetic until its answer is there, and not what only moves numbers', async () => {
    const { letGo, device: slow } = slowDevice();
    const { device, kernelSeconds } = clocked(slow);
    const x = device.write(new Float64Array([1, 2]));
    await device.pack([x, x]);
    expect(kernelSeconds()).toBe(0);
    const sum = device.add(x, x);
    await new Promise((go) => setTimeout(go, 20));
    expect(kernelSeconds()).toBe(0);
    letGo();
    expect(await device.read(await sum)).toEqual(new Float64Array([2, 4]));
    expect(kernelSeconds()).toBeGreaterThan(0);
  });

  it('tells a log how long each operation computed, where it looks at the clock', async () => {
    const c = drawCase(3, { partition: { ranks: 2, q: [2, 2], kv: [4, 5] } });
    for (const timing of [true, false]) {
      const { log } = await run(c, { transport: 'simulated', device: 'reference', timing });
      for (const { operation, kernel_s } of log) {
        if (!timing) expect(kernel_s).toBeNull();
        else if (operation.op === 'computeBlock') expect(kernel_s).toBeGreaterThan(0);
        else if (operation.op === 'receive' || operation.op === 'loadKeys')
          expect(kernel_s).toBe(0);
      }
    }
  });
});
