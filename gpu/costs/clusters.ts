/**
 * Clusters, as data: ranks on nodes, what links them, what they hold and how fast they compute.
 *
 * Ranks are numbered node by node. A link's bandwidth is what one rank can send to another within a
 * node, and what a node can send to the others, in each direction at once. All of it is nominal: of
 * data sheets (NVLink's 600 GB/s is half in each direction), and of the clusters as their paper
 * describes them. What was measured is calibration.ts.
 * @module
 */
import { z } from 'zod';
import { amount, checked, count, duration } from './checked.ts';

/** More ranks than anybody has are a slip. */
const MOST_RANKS = 2 ** 20;

export const Cluster = z
  .strictObject({
    name: z.string().min(1),
    ranks: count.max(MOST_RANKS),
    ranks_per_node: count.max(MOST_RANKS),
    /** Memory of one rank. */
    memory_bytes: amount,
    /** Peak of one rank at the model's element size. */
    peak_flops_per_s: amount,
    /** Needed where a node has several ranks. */
    within_node_bytes_per_s: amount.optional(),
    /** Needed where there are several nodes. */
    between_nodes_bytes_per_s: amount.optional(),
    /** From when a message has left its link until it has arrived; 0 when absent. */
    within_node_latency_s: duration.optional(),
    between_nodes_latency_s: duration.optional(),
    /** What starting a computation takes beside its operations; 0 when absent. */
    kernel_overhead_s: duration.optional(),
  })
  .superRefine((cluster, context) => {
    const { ranks, ranks_per_node } = cluster;
    const need = (field: keyof typeof cluster, message: string) =>
      context.addIssue({ code: 'custom', path: [field], message });
    if (ranks % ranks_per_node !== 0) need('ranks_per_node', `expected a divisor of ranks`);
    if (ranks_per_node > 1 && cluster.within_node_bytes_per_s === undefined) {
      need('within_node_bytes_per_s', 'expected bytes per second, for a node has several ranks');
    }
    if (ranks > ranks_per_node && cluster.between_nodes_bytes_per_s === undefined) {
      need('between_nodes_bytes_per_s', 'expected bytes per second, for there are several nodes');
    }
  });
export type Cluster = z.infer<typeof Cluster>;

const GIB = 2 ** 30;
const A100 = { peak_flops_per_s: 312e12 } as const;

export const CLUSTERS: readonly Cluster[] = [
  {
    name: 'a100x16',
    ...{ ranks: 16, ranks_per_node: 4, memory_bytes: 80 * GIB, ...A100 },
    ...{ within_node_bytes_per_s: 300e9, between_nodes_bytes_per_s: 25e9 },
  },
  {
    name: 'a30x8',
    ...{ ranks: 8, ranks_per_node: 1, memory_bytes: 24 * GIB, peak_flops_per_s: 165e12 },
    between_nodes_bytes_per_s: 1.25e9,
  },
  {
    name: 'a100x12',
    ...{ ranks: 12, ranks_per_node: 3, memory_bytes: 40 * GIB, ...A100 },
    ...{ within_node_bytes_per_s: 64e9, between_nodes_bytes_per_s: 25e9 },
  },
];

/** A cluster from outside. Throws a RangeError that names the field. */
export const parseCluster = (given: unknown, where: string): Cluster =>
  checked(Cluster, given, where);
