/**
 * Published numbers beside predictions, as text.
 * @module
 */
import {
  type Compared,
  errorOf,
  type Figure,
  type PaperComparison,
  QUANTITIES,
  type Quantity,
  type RowCompared,
  type SpeedupMap,
} from '../../gpu/costs/paper.ts';
import { columns, error, length, short } from './plan-numbers.ts';

function cells(compared: Compared): string[] {
  return [
    short(compared.published),
    short(compared.nominal),
    short(compared.calibrated),
    error(errorOf(compared, 'calibrated')),
  ];
}

const settingCells = ({ row }: RowCompared): string[] => [
  `${row.source ? '*' : ' '}${row.model}`,
  length(row.seq_q),
  length(row.frames),
];

/** Rows under the name of their cluster, two quantities side by side. */
function pairTable(
  rows: readonly RowCompared[],
  [title, left, right]: readonly [string, string, string],
  of: readonly [keyof RowCompared, keyof RowCompared],
): string {
  const clusters = [...new Set(rows.map(({ row }) => row.cluster))];
  const pair = ['paper', 'nominal', 'calibr.', 'error'];
  return columns([
    [title, '', '', left, '', '', '', right, '', '', ''],
    ['', 'text', 'frames', ...pair, ...pair],
    ...clusters.flatMap((cluster) => [
      [cluster],
      ...rows
        .filter(({ row }) => row.cluster === cluster)
        .map((row) => [...settingCells(row), ...of.flatMap((key) => cells(row[key] as Compared))]),
    ]),
  ]);
}

function figureTable(figures: readonly Figure[]): string {
  return columns([
    ['figures of the text', 'paper', 'nominal', 'calibr.', 'error', ' '],
    ...figures.map((one) => {
      const said = one.said === 'equal' ? '' : ` ${one.said}`;
      const [, nominal = '', calibrated = '', off = ''] = cells(one);
      const last = one.said !== 'below' ? off : one.calibrated < one.published ? 'holds' : 'fails';
      return [
        `${one.what}, ${one.unit}${said}`,
        String(one.published),
        nominal,
        calibrated,
        last,
        one.note,
      ];
    }),
  ]);
}

function mapTable({ basis, seq_q, seq_kv, speedup }: SpeedupMap): string {
  return columns([
    [`${basis}: text, keys`, ...seq_kv.map(length)],
    ...seq_q.map((text, q) => [length(text), ...(speedup[q] ?? []).map(short)]),
  ]);
}

const TITLES: Readonly<Record<Quantity, string>> = {
  ring_cross_s: 'Ring cross-attention',
  lv_cross_s: 'LV-XAttn cross-attention',
  ring_total_s: 'Ring iteration',
  lv_total_s: 'LV-XAttn iteration',
};

export function paperText({ rows, figures, maps, errors }: PaperComparison): string {
  const percent = (value: number): string => `${short(100 * value)} %`;
  const summary = columns([
    ['calibrated, typical error (root mean square)', '* rows', 'other rows'],
    ...QUANTITIES.map((of) => [TITLES[of], percent(errors.source[of]), percent(errors.other[of])]),
  ]);
  const others = rows.filter(({ row }) => !row.source);
  const within = others.filter(({ lv_cross_s, ring_cross_s }) =>
    [lv_cross_s, ring_cross_s].every((one) => Math.abs(errorOf(one, 'calibrated')) <= 0.25),
  );
  return [
    'Seconds of one training iteration: published, predicted from data sheets (nominal), and predicted\n' +
      'by rates fitted to the rows marked * (calibrated), with the error of the latter.',
    pairTable(rows, ['cross-attention, s', 'Ring', 'LV-XAttn'], ['ring_cross_s', 'lv_cross_s']),
    pairTable(rows, ['iteration, s', 'Ring', 'LV-XAttn'], ['ring_total_s', 'lv_total_s']),
    pairTable(
      rows,
      ['LV-XAttn over Ring, ×', 'cross', 'whole'],
      ['cross_speedup', 'total_speedup'],
    ),
    `${figureTable(figures)}\n(visual input: memory of cross-attention and of the model’s states alone)`,
    'speedup of cross-attention over Ring Attention, Llama 3-V-11b on a100x16, forward and backward.\n' +
      'The paper has such a map (Figure 4): its cells are not known here as numbers, so\n' +
      'nothing stands beside these, and neither model nor cluster need be those of the figure.',
    ...maps.map(mapTable),
    summary,
    `Of ${others.length} rows that nothing was fitted to, ${within.length} have both cross-attention times within 25 %.`,
  ].join('\n\n');
}
