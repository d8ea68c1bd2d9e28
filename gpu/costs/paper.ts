/**
 * What the paper published beside what is predicted: every row, the headline figures, and the map of
 * speedups over text and visual length.
 * @module
 */
import { labelBytes } from '../wire.ts';
import { longestInput } from './choice.ts';
import { CLUSTERS } from './clusters.ts';
import { MODELS, type Model } from './models.ts';
import { bytesSent } from './phases.ts';
import { BASES, type Basis, machineOf, predict, type Setting } from './prediction.ts';
import { PUBLISHED, type PublishedRow, settingOf } from './published.ts';
import { layerCost, type ScheduleName } from './schedules.ts';
import { AS_PUBLISHED, extentsOf, workloadOf } from './workload.ts';

/** A published number and its predictions; null where no rates enter. */
export interface Compared {
  readonly published: number;
  readonly nominal: number;
  readonly calibrated: number;
}

export interface RowCompared {
  readonly row: PublishedRow;
  readonly ring_cross_s: Compared;
  readonly lv_cross_s: Compared;
  readonly ring_total_s: Compared;
  readonly lv_total_s: Compared;
  /** Ring over LV-XAttn: of cross-attention, of the iteration. */
  readonly cross_speedup: Compared;
  readonly total_speedup: Compared;
}

/** predicted / published − 1. */
export const errorOf = (compared: Compared, basis: Basis): number =>
  compared[basis] / compared.published - 1;

export function compareRow(row: PublishedRow): RowCompared {
  const setting = settingOf(row);
  const of = (basis: Basis, name: ScheduleName) => predict(basis, setting, name);
  const compared = (published: number, predicted: (basis: Basis) => number): Compared => ({
    ...{ published, nominal: predicted('nominal'), calibrated: predicted('calibrated') },
  });
  const seconds = (
    published: number,
    name: ScheduleName,
    what: 'cross_attention_s' | 'iteration_s',
  ) => compared(published, (basis) => of(basis, name)[what]);
  const ratio = (published: number, what: 'cross_attention_s' | 'iteration_s') =>
    compared(published, (basis) => of(basis, 'ring-attention')[what] / of(basis, 'lv-xattn')[what]);
  return {
    row,
    ring_cross_s: seconds(row.ring_cross_s, 'ring-attention', 'cross_attention_s'),
    lv_cross_s: seconds(row.lv_cross_s, 'lv-xattn', 'cross_attention_s'),
    ring_total_s: seconds(row.ring_total_s, 'ring-attention', 'iteration_s'),
    lv_total_s: seconds(row.lv_total_s, 'lv-xattn', 'iteration_s'),
    cross_speedup: ratio(row.ring_cross_s / row.lv_cross_s, 'cross_attention_s'),
    total_speedup: ratio(row.ring_total_s / row.lv_total_s, 'iteration_s'),
  };
}

/** A figure of the paper's abstract or text. */
export interface Figure extends Compared {
  readonly what: string;
  readonly unit: string;
  /** What the paper says of it: this much, at most this much over its inputs, or less than it. */
  readonly said: 'equal' | 'up to' | 'below';
  /** What is compared. */
  readonly note: string;
}

function modelOf(name: string): Model {
  const model = MODELS.find((one) => one.name === name);
  if (model === undefined) throw new Error(`no model ${name}`);
  return model;
}

const same = (value: number): Pick<Compared, 'nominal' | 'calibrated'> => ({
  nominal: value,
  calibrated: value,
});

/** Bytes of K and V of so many frames, all heads, in float32. */
function keyBytes(name: string, frames: number): number {
  const model = modelOf(name);
  const sizes = { seq_q: 0, seq_kv: frames * model.tokens_per_frame };
  const workload = workloadOf(model, { ranks: 1, ranks_per_node: 1 }, sizes);
  const { heads } = model;
  const label = { kind: 'keys', direction: 'forward', blocks: [0] } as const;
  const all = { ...label, heads: { from: 0, to: heads, of: heads } };
  return labelBytes(extentsOf(workload), all, { element_bytes: 4, scalar_bytes: 4 });
}

/** LV-XAttn's forward volume as a share of Ring Attention's, in percent. */
function volumeShare(): number {
  const sizes = { seq_q: 5514, seq_kv: 15_279_944 };
  const workload = workloadOf(modelOf('llama-3-v-11b'), { ranks: 16, ranks_per_node: 4 }, sizes);
  const sent = (name: ScheduleName) => bytesSent(layerCost(name, workload, AS_PUBLISHED).forward);
  return (100 * sent('lv-xattn')) / sent('ring-attention');
}

/** How many times the frames fit when Q, K and V are recomputed: the most of a model's settings. */
function moreInput(models: RegExp): number {
  const rows = PUBLISHED.filter(({ model }) => models.test(model));
  return Math.max(
    ...rows.map((row) => {
      const setting = settingOf(row);
      const frames = (recompute: boolean) => longestInput('lv-xattn', setting, recompute).frames;
      return frames(true) / Math.max(1, frames(false));
    }),
  );
}

/** Percent of an iteration that recomputing Q, K and V costs: the most of the rows'. */
function recomputing(basis: Basis): number {
  return Math.max(
    ...PUBLISHED.map((row) => {
      const setting = settingOf(row);
      const { model, cluster } = setting;
      const workload = workloadOf(model, cluster, setting);
      const machine = machineOf(cluster, basis);
      const [ours, theirs] = (['lv-xattn', 'ring-attention'] as const).map((name) => {
        const { backward } = layerCost(name, workload, AS_PUBLISHED);
        return backward.phases.reduce((sum, { projections }) => sum + projections, 0);
      });
      const more = ((ours ?? 0) - (theirs ?? 0)) / machine.projection_flops_per_s;
      const { iteration_s } = predict(basis, setting, 'lv-xattn');
      return (100 * model.cross_attention_layers * more) / iteration_s;
    }),
  );
}

const GIB = 2 ** 30;

/** The figures of abstract and text. */
export function compareFigures(rows: readonly RowCompared[]): Figure[] {
  const most = (of: 'cross_speedup' | 'total_speedup', models: RegExp): Compared => {
    const all = rows.filter(({ row }) => models.test(row.model)).map((one) => one[of]);
    const largest = (key: keyof Compared) => Math.max(...all.map((one) => one[key]));
    return {
      published: largest('published'),
      ...{ nominal: largest('nominal'), calibrated: largest('calibrated') },
    };
  };
  const cross = most('cross_speedup', /./);
  const total = most('total_speedup', /./);
  const earlier = most('total_speedup', /^(mplug|open)/);
  const figure = (
    what: string,
    unit: string,
    published: number,
    predicted: Pick<Compared, 'nominal' | 'calibrated'>,
    note: string,
    said: Figure['said'] = 'up to',
  ): Figure => ({
    ...{ what, unit, published, note, said },
    ...{ nominal: predicted.nominal, calibrated: predicted.calibrated },
  });
  const ofRows = ({ published }: Compared): string => `most of all rows, ${published.toFixed(2)}`;
  return [
    figure('speedup of cross-attention', '×', 45.85, cross, ofRows(cross)),
    figure('speedup of an iteration', '×', 10.62, total, ofRows(total)),
    figure('the same without Llama 3-V', '×', 5.58, earlier, ofRows(earlier)),
    figure(
      'volume of Ring Attention’s',
      '%',
      0.04,
      same(volumeShare()),
      '5514 × 15,279,944',
      'equal',
    ),
    figure(
      ...(['K and V of a layer, f32', 'GiB', 70.08] as const),
      same(keyBytes('mplug-owl3-7b', 3600) / GIB),
      'mPLUG-Owl3-7b, 3600 frames',
      'equal',
    ),
    figure(
      ...(['K and V of a layer, f32', 'GiB', 234] as const),
      same(keyBytes('llama-3-v-11b', 1200) / GIB),
      'Llama 3-V-11b, 1200 frames',
      'equal',
    ),
    ...(['Llama 3-V', 'mPLUG-Owl3', 'OpenFlamingo'] as const).map((name) =>
      figure(
        ...(['visual input by recomputing', '×', 1.6] as const),
        same(moreInput(new RegExp(`^${name.slice(0, 4)}`, 'i'))),
        name,
      ),
    ),
    figure(
      ...(['time for recomputing', '%', 8] as const),
      { nominal: recomputing('nominal'), calibrated: recomputing('calibrated') },
      'most of all rows',
      'below',
    ),
  ];
}

/** Speedups over Ring Attention, forward and backward, by text and visual length. */
export interface SpeedupMap {
  readonly basis: Basis;
  readonly seq_q: readonly number[];
  readonly seq_kv: readonly number[];
  /** [text][visual]. */
  readonly speedup: readonly (readonly number[])[];
}

const quadruples = (from: number, to: number): number[] => {
  const list: number[] = [];
  for (let length = from; length <= to; length *= 4) list.push(length);
  return list;
};

/** The map of the first setting's model and cluster. */
export function speedupMap(basis: Basis, { model, cluster }: Omit<Setting, 'seq_q' | 'seq_kv'>) {
  const [texts, visuals] = [quadruples(2 ** 10, 2 ** 20), quadruples(2 ** 14, 2 ** 26)];
  const seconds = (name: ScheduleName, seq_q: number, seq_kv: number) =>
    predict(basis, { model, cluster, seq_q, seq_kv }, name).cross_attention_s;
  const speedup = texts.map((q) =>
    visuals.map((kv) => seconds('ring-attention', q, kv) / seconds('lv-xattn', q, kv)),
  );
  return { basis, seq_q: texts, seq_kv: visuals, speedup } satisfies SpeedupMap;
}

export interface PaperComparison {
  readonly rows: readonly RowCompared[];
  readonly figures: readonly Figure[];
  readonly maps: readonly SpeedupMap[];
  /** Root of the mean square of ln(calibrated / published), of source rows and of the others. */
  readonly errors: Readonly<Record<'source' | 'other', Readonly<Record<Quantity, number>>>>;
}

export const QUANTITIES = ['ring_cross_s', 'lv_cross_s', 'ring_total_s', 'lv_total_s'] as const;
export type Quantity = (typeof QUANTITIES)[number];

export function comparePaper(): PaperComparison {
  const rows = PUBLISHED.map(compareRow);
  const rms = (source: boolean, of: Quantity): number => {
    const chosen = rows.filter(({ row }) => row.source === source);
    const squares = chosen.map((one) => Math.log(one[of].calibrated / one[of].published) ** 2);
    return Math.sqrt(squares.reduce((sum, x) => sum + x, 0) / squares.length);
  };
  const errors = (source: boolean) =>
    Object.fromEntries(QUANTITIES.map((of) => [of, rms(source, of)])) as Record<Quantity, number>;
  const [model, cluster] = [modelOf('llama-3-v-11b'), CLUSTERS[0]];
  if (cluster === undefined) throw new Error('no cluster');
  return {
    rows,
    figures: compareFigures(rows),
    maps: BASES.map((basis) => speedupMap(basis, { model, cluster })),
    errors: { source: errors(true), other: errors(false) },
  };
}
