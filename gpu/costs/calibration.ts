/**
 * What measured clusters reach, in one place: five rates and one finding, from six published rows.
 *
 * Rates are fitted by least squares on the logarithm of measured over predicted seconds
 * (calibration-fit.ts, which a test runs again): the first four on cross-attention of Ring Attention
 * and of LV-XAttn, the last on the rest of the iteration. Source rows are the smallest input of each
 * of three models on two clusters (`source` in published.ts); what else is published is predicted.
 *
 * The finding is no number: dK and dV, or dQ, which are summed up on their way, are sent while nothing
 * is computed. With them hidden, Ring Attention on OpenFlamingo, where computing and sending take
 * equally long, comes out a quarter too fast; it was chosen with the published rows in view.
 * @module
 */
import type { Cluster } from './clusters.ts';
import { type Machine, nominalMachine } from './machine.ts';

/** Shares of the cluster's nominal rates. */
export interface Calibration {
  /** Of the peak, in attention; in its projections; in all other products. */
  readonly attention: number;
  readonly projections: number;
  readonly dense: number;
  /** Of the bandwidth between nodes, by cluster. */
  readonly links: Readonly<Record<string, number>>;
}

export const CALIBRATION: Calibration = {
  attention: 0.0475,
  projections: 0.0654,
  dense: 0.495,
  links: { a100x16: 0.1169, a30x8: 1.098 },
};

/**
 * Clusters of which nothing was measured here, and whose link is taken to be like. a100x12: described
 * with the same 25 GB/s as a100x16, where the measurements behave like 25 Gbit/s.
 */
export const LIKE: Readonly<Record<string, string>> = { a100x12: 'a100x16' };

/** The share of the bandwidth between nodes, and whence: measured, of a cluster like it, or none. */
export function linkShare(
  name: string,
  { links }: Calibration = CALIBRATION,
): { readonly share: number; readonly from: string | null } {
  const from = name in links ? name : (LIKE[name] ?? null);
  return { share: from === null ? 1 : (links[from] ?? 1), from };
}

/** The cluster at the rates that were measured; links that nobody measured as they are nominally. */
export function calibratedMachine(
  cluster: Cluster,
  calibration: Calibration = CALIBRATION,
): Machine {
  const machine = nominalMachine(cluster);
  const { share } = linkShare(cluster.name, calibration);
  const peak = cluster.peak_flops_per_s;
  return {
    ...machine,
    attention_flops_per_s: calibration.attention * peak,
    projection_flops_per_s: calibration.projections * peak,
    dense_flops_per_s: calibration.dense * peak,
    between_nodes_bytes_per_s: machine.between_nodes_bytes_per_s * share,
    hides_gradients: false,
  };
}
