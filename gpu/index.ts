/**
 * Entry point `lv-xattn-oracle/gpu`: LV-XAttn on GPU.js, its schedule, its transports, and what
 * schedules cost.
 * @module
 */
export { CLUSTERS, type Cluster, parseCluster } from './costs/clusters.ts';
export { MODELS, type Model, parseModel } from './costs/models.ts';
export { type Plan, planOf, type SchedulePlan } from './costs/plan.ts';
export type { Setting } from './costs/prediction.ts';
export { DEVICE_NAMES, type DeviceName } from './device/choose.ts';
export type { RankEvent } from './interpreter.ts';
export type { Contents, Observation, Snapshot } from './observation.ts';
export { passesOf } from './passes.ts';
export { closeWorkers, type RunResult, run, runLvXattn } from './run.ts';
export {
  type PassOptions,
  type RunOptions,
  TRANSPORT_NAMES,
  type TransportName,
} from './run-options.ts';
export type { BufferName, Operation, Schedule } from './schedule.ts';
export { SCHEDULE_NAMES, SCHEDULES, type ScheduleName } from './schedules/index.ts';
export { lvXattnSchedule } from './schedules/lv-xattn.ts';
export { drawStack } from './stack/draw.ts';
export { type Preset, type PresetOptions, presetOf } from './stack/presets.ts';
export { runStack, type StackResult } from './stack/run.ts';
export type { LayerParts, StackInputs, StackShape, Weights } from './stack/shape.ts';
export type { StackGradients, StackOptions } from './stack/stack.ts';
