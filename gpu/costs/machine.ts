/**
 * How long a pass takes: a cluster with the rates that it is believed to reach.
 * @module
 */
import type { Cluster } from './clusters.ts';
import type { Pass, Phase, Route, Transfer } from './phases.ts';

export interface Machine {
  readonly ranks: number;
  readonly ranks_per_node: number;
  /** Floating-point operations per second of a rank. */
  readonly attention_flops_per_s: number;
  /** Of the projections to Q, K, V and back; infinite where they are not counted. */
  readonly projection_flops_per_s: number;
  /** Of all other matrix products of the model. */
  readonly dense_flops_per_s: number;
  /** Infinite where there is no such link. */
  readonly within_node_bytes_per_s: number;
  readonly between_nodes_bytes_per_s: number;
  /** Whether sums that travel (dK and dV, dQ) are sent while the next round computes. */
  readonly hides_gradients: boolean;
}

/** The machine of the data sheets and of the paper's formulas: peak rates, perfect overlap. */
export function nominalMachine(cluster: Cluster): Machine {
  const { ranks, ranks_per_node, peak_flops_per_s } = cluster;
  const { within_node_bytes_per_s = Infinity, between_nodes_bytes_per_s = Infinity } = cluster;
  return {
    ...{ ranks, ranks_per_node, within_node_bytes_per_s, between_nodes_bytes_per_s },
    attention_flops_per_s: peak_flops_per_s,
    projection_flops_per_s: Infinity,
    dense_flops_per_s: peak_flops_per_s,
    hides_gradients: true,
  };
}

/** Seconds until `bytes` from every rank have arrived, all ranks sending at once. */
export function transferSeconds(machine: Machine, bytes: number, route: Route): number {
  const { ranks, ranks_per_node, within_node_bytes_per_s, between_nodes_bytes_per_s } = machine;
  const perNode = Math.min(ranks_per_node, ranks);
  if (route.to === 'next') {
    // Of a node's ranks as many send out of it as the stride is long; the others stay inside.
    const leaving = ranks > perNode ? Math.min(route.stride, perNode) : 0;
    const inside = leaving < perNode ? bytes / within_node_bytes_per_s : 0;
    return Math.max(inside, (leaving * bytes) / between_nodes_bytes_per_s);
  }
  if (route.group <= 1) return 0;
  const others = route.group - 1;
  const near = Math.min(perNode, route.group) - 1;
  const outside = (bytes * (others - near)) / others;
  const inside = near > 0 ? (bytes * near) / others / within_node_bytes_per_s : 0;
  return Math.max(inside, (perNode * outside) / between_nodes_bytes_per_s);
}

/** Seconds of computing, of sending beside it, and of sending alone, in one round. */
export interface RoundSeconds {
  readonly compute: number;
  readonly beside: number;
  readonly alone: number;
}

export function roundSeconds(machine: Machine, round: Phase): RoundSeconds {
  const compute =
    round.attention / machine.attention_flops_per_s +
    round.projections / machine.projection_flops_per_s;
  const isBeside = ({ when }: Transfer): boolean =>
    when === 'beside' || (when === 'gradients' && machine.hides_gradients);
  let [beside, alone] = [0, 0];
  for (const transfer of round.transfers) {
    const seconds = transferSeconds(machine, transfer.bytes, transfer.route);
    if (isBeside(transfer)) beside += seconds;
    else alone += seconds;
  }
  return { compute, beside, alone };
}

/** Seconds of a pass: in every round the longer of computing and sending beside it, then the rest. */
export function passSeconds(machine: Machine, { phases }: Pass): number {
  return phases.reduce((sum, phase) => {
    const { compute, beside, alone } = roundSeconds(machine, phase);
    return sum + phase.rounds * (Math.max(compute, beside) + alone);
  }, 0);
}

export type Regime = 'compute' | 'communication';

/** Which of both takes longer in a steady round; null where nothing is sent. */
export function regimeOf(machine: Machine, { phases, steady }: Pass): Regime | null {
  if (phases.every(({ transfers }) => transfers.length === 0)) return null;
  const { compute, beside, alone } = roundSeconds(machine, steady);
  return compute >= beside + alone ? 'compute' : 'communication';
}
