/**
 * A stack of cross-attention layers, run over ranks by a schedule, in numbers.
 * @module
 */
import { deviceOf, resolveDevice } from '../device/choose.ts';
import { runRanks } from '../run.ts';
import type { RunOptions } from '../run-options.ts';
import { distributedAttention, type Traffic } from './distributed.ts';
import { realNumbers } from './numbers.ts';
import type { StackInputs, StackShape } from './shape.ts';
import { evaluateStack, type StackOptions, type StackRun } from './stack.ts';

export interface StackResult extends StackRun<number> {
  readonly traffic: Traffic;
}

/**
 * Runs a stack forward and backward. Attention goes by the schedule over the transport on the device;
 * what touches rows alone is computed by the caller's thread, rank after rank, in float64 formulas over
 * numbers of the device's element type. Throws a RangeError where inputs do not fit the shape, or the
 * schedule the number of ranks.
 */
export async function runStack(
  shape: StackShape,
  inputs: StackInputs<number>,
  options: RunOptions & StackOptions,
): Promise<StackResult> {
  const device = resolveDevice(options.device);
  const numbers = realNumbers(device === 'reference' ? 'f64' : 'f32');
  const attention = distributedAttention(numbers, shape, inputs, {
    schedule: options.schedule ?? 'lv-xattn',
    run: (shards, passes) => runRanks(shards, passes, device, options),
    machine: deviceOf(device),
  });
  const run = await evaluateStack(shape, inputs, numbers, attention, options);
  return { ...run, traffic: attention.traffic };
}
