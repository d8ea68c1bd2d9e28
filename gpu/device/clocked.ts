/**
 * A device with a clock: how long its arithmetic has taken.
 *
 * Arithmetic is what makes numbers out of numbers. Reading, writing, packing and cutting move them,
 * and count to what a run adds to it.
 * @module
 */
import type { Awaitable, Device } from './device.ts';

const ARITHMETIC = [
  ...(['forward', 'merge', 'delta', 'backward', 'biasGradient', 'sinkGradient'] as const),
  ...(['add', 'project', 'projectFeatures', 'projectWeights'] as const),
] as const satisfies readonly (keyof Device)[];

export interface Clocked {
  readonly device: Device;
  /** Seconds of arithmetic so far. */
  readonly kernelSeconds: () => number;
}

/** The same device; every call of its arithmetic is timed, until its answer is there. */
export function clocked(device: Device): Clocked {
  let total = 0;
  const timed =
    <A extends unknown[], R>(act: (...args: A) => Awaitable<R>) =>
    (...args: A): Awaitable<R> => {
      const begun = performance.now();
      const add = (): void => {
        total += (performance.now() - begun) / 1000;
      };
      const answer = act(...args);
      if (answer instanceof Promise) return answer.finally(add);
      add();
      return answer;
    };
  const acts = ARITHMETIC.map((name) => [name, timed(device[name] as never)] as const);
  return { device: { ...device, ...Object.fromEntries(acts) }, kernelSeconds: () => total };
}
