/**
 * Entry point `lv-xattn-oracle/gpu`: LV-XAttn on GPU.js, its schedule, and its transports.
 * @module
 */
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
