/**
 * Seconds of a layer, of all cross-attention layers, and of a whole training iteration.
 * @module
 */
import { calibratedMachine } from './calibration.ts';
import type { Cluster } from './clusters.ts';
import { iterationRest } from './iteration.ts';
import { type Machine, nominalMachine, passSeconds, type Regime, regimeOf } from './machine.ts';
import type { Model } from './models.ts';
import { layerCost, type ScheduleName } from './schedules.ts';
import { AS_PUBLISHED, type Options, workloadOf } from './workload.ts';

/** What is predicted for: a model on a cluster with an input, dealt by a schedule. */
export interface Setting {
  readonly model: Model;
  readonly cluster: Cluster;
  readonly seq_q: number;
  readonly seq_kv: number;
  /** Ranks of a group under USP; as schedules/groups.ts says where absent. */
  readonly group?: number | undefined;
}

/** Seconds; the layer's are of one cross-attention layer. */
export interface Prediction {
  readonly forward_s: number;
  readonly backward_s: number;
  readonly cross_attention_s: number;
  readonly iteration_s: number;
  readonly forward_regime: Regime | null;
  readonly backward_regime: Regime | null;
}

/** `nominal`: data sheets and the paper's formulas; `calibrated`: rates measured on other inputs. */
export const BASES = ['nominal', 'calibrated'] as const;
export type Basis = (typeof BASES)[number];

export const machineOf = (cluster: Cluster, basis: Basis): Machine =>
  basis === 'nominal' ? nominalMachine(cluster) : calibratedMachine(cluster);

/** What a machine takes. Does not ask whether the schedule can be used (`refusal`). */
export function predictOn(
  machine: Machine,
  setting: Setting,
  name: ScheduleName,
  options: Options = AS_PUBLISHED,
): Prediction {
  const { model, cluster, seq_q, seq_kv } = setting;
  const { forward, backward } = layerCost(name, workloadOf(model, cluster, setting), options);
  const forward_s = passSeconds(machine, forward);
  const backward_s = passSeconds(machine, backward);
  const cross_attention_s = model.cross_attention_layers * (forward_s + backward_s);
  return {
    ...{ forward_s, backward_s, cross_attention_s },
    iteration_s: cross_attention_s + iterationRest(machine, model, { seq_q, seq_kv }),
    forward_regime: regimeOf(machine, forward),
    backward_regime: regimeOf(machine, backward),
  };
}

export const predict = (
  basis: Basis,
  setting: Setting,
  name: ScheduleName,
  options: Options = AS_PUBLISHED,
): Prediction => predictOn(machineOf(setting.cluster, basis), setting, name, options);
