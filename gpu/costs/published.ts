/**
 * What the LV-XAttn paper measured (Chang and Venkataraman, ICML 2025, arXiv 2502.02406v3): seconds of
 * one training iteration, batch 1, f16, of Ring Attention and of LV-XAttn, and of the cross-attention
 * in it. And the figures of its abstract and text.
 * @module
 */
import { CLUSTERS } from './clusters.ts';
import { MODELS } from './models.ts';

export interface PublishedRow {
  readonly cluster: string;
  readonly model: string;
  /** Text tokens and frames. */
  readonly seq_q: number;
  readonly frames: number;
  readonly ring_cross_s: number;
  readonly ring_total_s: number;
  readonly lv_cross_s: number;
  readonly lv_total_s: number;
  /** Whether the calibration was made from it. */
  readonly source: boolean;
}

const K = 1024;

type Columns = readonly [
  text: number,
  frames: number,
  ...seconds: [number, number, number, number],
];

/** Rows of one model on one cluster, the smallest input last: calibration.ts is made from it. */
function rows(cluster: string, model: string, table: readonly Columns[]): PublishedRow[] {
  return table.map(([seq_q, frames, ring_cross_s, ring_total_s, lv_cross_s, lv_total_s], n) => ({
    ...{ cluster, model, seq_q, frames, ring_cross_s, ring_total_s, lv_cross_s, lv_total_s },
    source: n === table.length - 1,
  }));
}

export const PUBLISHED: readonly PublishedRow[] = [
  ...rows('a100x16', 'llama-3-v-11b', [
    [2 * K, 384, 301.81, 333.29, 14.22, 31.38],
    [2 * K, 192, 144.5, 167.2, 8.36, 22.27],
    [K, 192, 151.83, 176.16, 5.5, 19.93],
  ]),
  ...rows('a100x16', 'mplug-owl3-7b', [
    [8 * K, 4 * K, 174.73, 202.84, 24.08, 42.79],
    [8 * K, 2 * K, 89.88, 112.28, 12.14, 32.72],
    [4 * K, 2 * K, 92.48, 107.01, 6.45, 19.5],
  ]),
  ...rows('a100x16', 'openflamingo-9b', [
    [64 * K, 64 * K, 95.13, 165.17, 62.4, 126.71],
    [64 * K, 32 * K, 47.86, 101.01, 31.44, 86.89],
    [32 * K, 32 * K, 33.58, 69.53, 16.0, 49.5],
  ]),
  ...rows('a30x8', 'llama-3-v-11b', [
    [512, 64, 109.07, 154.18, 3.35, 49.24],
    [512, 32, 55.8, 101.13, 2.49, 45.9],
    [256, 32, 57.5, 100.75, 1.7, 44.93],
  ]),
  ...rows('a30x8', 'mplug-owl3-7b', [
    [K, 512, 42.41, 74.28, 1.42, 33.32],
    [K, 256, 20.81, 50.61, 0.66, 30.63],
    [512, 256, 20.84, 49.89, 0.45, 28.95],
  ]),
  ...rows('a30x8', 'openflamingo-9b', [
    [8 * K, 8 * K, 17.28, 65.75, 3.99, 53.22],
    [8 * K, 4 * K, 8.74, 54.09, 2.2, 52.17],
    [4 * K, 4 * K, 8.87, 52.04, 1.23, 44.18],
  ]),
];

/** What a row was measured on, as predictions take it. */
export function settingOf(row: PublishedRow) {
  const model = MODELS.find(({ name }) => name === row.model);
  const cluster = CLUSTERS.find(({ name }) => name === row.cluster);
  if (model === undefined || cluster === undefined) throw new Error(`no ${row.model} or cluster`);
  return { model, cluster, seq_q: row.seq_q, seq_kv: row.frames * model.tokens_per_frame };
}
