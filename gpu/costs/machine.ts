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
  /** From when a message has left until it has arrived; 0 in the paper's formulas. */
  readonly within_node_latency_s: number;
  readonly between_nodes_latency_s: number;
  /** What starting a computation takes beside its operations; 0 in the paper's formulas. */
  readonly kernel_overhead_s: number;
  /** Whether sums that travel (dK and dV, dQ) are sent while the next round computes. */
  readonly hides_gradients: boolean;
}

/** The machine of the data sheets and of the paper's formulas: peak rates, perfect overlap. */
export function nominalMachine(cluster: Cluster): Machine {
  const { ranks, ranks_per_node, peak_flops_per_s } = cluster;
  const { within_node_bytes_per_s = Infinity, between_nodes_bytes_per_s = Infinity } = cluster;
  const { within_node_latency_s = 0, between_nodes_latency_s = 0, kernel_overhead_s = 0 } = cluster;
  return {
    ...{ ranks, ranks_per_node, within_node_bytes_per_s, between_nodes_bytes_per_s },
    ...{ within_node_latency_s, between_nodes_latency_s, kernel_overhead_s },
    attention_flops_per_s: peak_flops_per_s,
    projection_flops_per_s: Infinity,
    dense_flops_per_s: peak_flops_per_s,
    hides_gradients: true,
  };
}

export type Rates = Pick<
  Machine,
  'attention_flops_per_s' | 'projection_flops_per_s' | 'kernel_overhead_s'
>;

/**
 * Seconds of computing so many operations: a block pair with its merge, or a projection, is one start.
 * Nothing is started for no operations, or where projections are not counted.
 */
export function computeSeconds(
  rates: Rates,
  { attention, projections }: Pick<Phase, 'attention' | 'projections'>,
): number {
  const [pair, products] = [
    attention / rates.attention_flops_per_s,
    projections / rates.projection_flops_per_s,
  ];
  const starts = (pair > 0 ? 1 : 0) + (products > 0 ? 1 : 0);
  return pair + products + starts * rates.kernel_overhead_s;
}

/** The longest latency of the links that a route takes. */
export function latencySeconds(machine: Machine, route: Route): number {
  const { ranks, ranks_per_node, within_node_latency_s, between_nodes_latency_s } = machine;
  const perNode = Math.min(ranks_per_node, ranks);
  const reach = route.to === 'next' ? ranks : Math.min(route.group, ranks);
  if (reach <= 1) return 0;
  const leaving = reach > perNode;
  const staying = perNode > 1 && (route.to === 'all' || !leaving || route.stride < perNode);
  return Math.max(staying ? within_node_latency_s : 0, leaving ? between_nodes_latency_s : 0);
}

/**
 * Seconds that the links need for `bytes` from every rank, all ranks sending at once; the latency of
 * what is sent last comes on top.
 */
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

/**
 * Seconds of computing, of sending beside it, and of sending alone, in one round; and of the longest
 * latency beside it. What goes beside computing goes out in a row, so that latencies but the longest
 * pass meanwhile; what goes alone is waited for, each with its own.
 */
export interface RoundSeconds {
  readonly compute: number;
  readonly beside: number;
  readonly latency: number;
  readonly alone: number;
}

export function roundSeconds(machine: Machine, round: Phase): RoundSeconds {
  const compute = computeSeconds(machine, round);
  const isBeside = ({ when }: Transfer): boolean =>
    when === 'beside' || (when === 'gradients' && machine.hides_gradients);
  let [beside, alone, latency] = [0, 0, 0];
  for (const transfer of round.transfers) {
    const seconds = transferSeconds(machine, transfer.bytes, transfer.route);
    const delay = latencySeconds(machine, transfer.route);
    if (isBeside(transfer)) [beside, latency] = [beside + seconds, Math.max(latency, delay)];
    else alone += seconds + delay;
  }
  return { compute, beside, latency, alone };
}

/**
 * Seconds of a pass: in every round the longer of computing and sending beside it, then the rest,
 * while which the latency of what went beside passes too.
 */
export function passSeconds(machine: Machine, { phases }: Pass): number {
  return phases.reduce((sum, phase) => {
    const { compute, beside, latency, alone } = roundSeconds(machine, phase);
    return sum + phase.rounds * Math.max(Math.max(compute, beside) + alone, beside + latency);
  }, 0);
}

export type Regime = 'compute' | 'communication';

/** Which of both takes longer in a steady round; null where nothing is sent. */
export function regimeOf(machine: Machine, { phases, steady }: Pass): Regime | null {
  if (phases.every(({ transfers }) => transfers.length === 0)) return null;
  const { compute, beside, latency, alone } = roundSeconds(machine, steady);
  return compute >= beside + latency + alone ? 'compute' : 'communication';
}

/** Seconds of a pass in which a rank waits for messages: exposed communication. */
export function exposedSeconds(machine: Machine, pass: Pass): number {
  const computing = pass.phases.reduce(
    (sum, phase) => sum + phase.rounds * computeSeconds(machine, phase),
    0,
  );
  return Math.max(0, passSeconds(machine, pass) - computing);
}
