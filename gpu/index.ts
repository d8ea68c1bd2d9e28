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
export {
  closeWorkers,
  type RunOptions,
  type RunResult,
  runLvXattn,
  TRANSPORT_NAMES,
  type TransportName,
} from './lv-xattn-run.ts';
export type { BufferName, Contents, Observation, Snapshot } from './observation.ts';
export type { Operation, Schedule } from './schedule.ts';
export { lvXattnSchedule } from './schedules/lv-xattn.ts';
