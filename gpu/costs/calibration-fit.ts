/**
 * How calibration.ts was made: Gauss-Newton on logarithms, from the source rows of published.ts.
 * @module
 */
import { lusolve } from 'mathjs';
import { type Calibration, calibratedMachine } from './calibration.ts';
import { iterationRest } from './iteration.ts';
import { predictOn } from './prediction.ts';
import { type PublishedRow, settingOf } from './published.ts';

/** ln(predicted / measured), one or more of a row. */
type Residuals = (calibration: Calibration, row: PublishedRow) => number[];

const crossAttention: Residuals = (calibration, row) => {
  const setting = settingOf(row);
  const machine = calibratedMachine(setting.cluster, calibration);
  const seconds = (name: 'ring-attention' | 'lv-xattn') =>
    predictOn(machine, setting, name).cross_attention_s;
  return [
    Math.log(seconds('ring-attention') / row.ring_cross_s),
    Math.log(seconds('lv-xattn') / row.lv_cross_s),
  ];
};

const restOfIteration: Residuals = (calibration, row) => {
  const { model, cluster, ...sizes } = settingOf(row);
  const rest = iterationRest(calibratedMachine(cluster, calibration), model, sizes);
  return [
    Math.log(rest / (row.ring_total_s - row.ring_cross_s)),
    Math.log(rest / (row.lv_total_s - row.lv_cross_s)),
  ];
};

/** Rates as a vector of logarithms, and back. */
interface Unknowns {
  readonly of: (calibration: Calibration) => number[];
  readonly into: (calibration: Calibration, logs: readonly number[]) => Calibration;
}

const STEP = 1e-5;
const ROUNDS = 50;
/** Rates move no more than this share of themselves. */
const SETTLED = 1e-9;

/** Gauss-Newton with forward differences; half steps where a full one does not help. */
function leastSquares(
  start: Calibration,
  rows: readonly PublishedRow[],
  residuals: Residuals,
  unknowns: Unknowns,
): Calibration {
  const errors = (logs: readonly number[]): number[] => {
    const calibration = unknowns.into(start, logs);
    return rows.flatMap((row) => residuals(calibration, row));
  };
  const squares = (list: readonly number[]): number => list.reduce((sum, r) => sum + r * r, 0);
  const dot = (a: readonly number[], b: readonly number[]): number =>
    a.reduce((sum, x, n) => sum + x * (b[n] ?? 0), 0);
  let logs = unknowns.of(start);
  for (let round = 0; round < ROUNDS; round++) {
    const now = errors(logs);
    const slopes = logs.map((_, k) => {
      const moved = errors(logs.map((log, n) => (n === k ? log + STEP : log)));
      return moved.map((error, n) => (error - (now[n] ?? 0)) / STEP);
    });
    const normal = slopes.map((a) => slopes.map((b) => dot(a, b)));
    const solved = lusolve(
      normal,
      slopes.map((a) => -dot(a, now)),
    ) as number[][];
    const move = (share: number) => logs.map((log, n) => log + share * (solved[n]?.[0] ?? 0));
    let share = 1;
    while (share > 1e-6 && squares(errors(move(share))) > squares(now)) share /= 2;
    const next = move(share);
    const moved = Math.max(...next.map((log, n) => Math.abs(log - (logs[n] ?? 0))));
    logs = next;
    if (moved < SETTLED) break;
  }
  return unknowns.into(start, logs);
}

const CROSS: Unknowns = {
  of: ({ attention, projections, links }) =>
    [attention, projections, ...Object.values(links)].map(Math.log),
  into: (calibration, logs) => {
    const [attention = 1, projections = 1, ...links] = logs.map(Math.exp);
    const names = Object.keys(calibration.links);
    const named = Object.fromEntries(names.map((name, n) => [name, links[n] ?? 1]));
    return { ...calibration, attention, projections, links: named };
  },
};

const DENSE: Unknowns = {
  of: ({ dense }) => [Math.log(dense)],
  into: (calibration, [log = 0]) => ({ ...calibration, dense: Math.exp(log) }),
};

/** The calibration of these rows: of their cross-attention first, then of the rest with it. */
export function calibrate(rows: readonly PublishedRow[]): Calibration {
  const links = Object.fromEntries(
    [...new Set(rows.map(({ cluster }) => cluster))].map((name) => [name, 0.5]),
  );
  const start = { attention: 0.1, projections: 0.1, dense: 0.3, links };
  const cross = leastSquares(start, rows, crossAttention, CROSS);
  return leastSquares(cross, rows, restOfIteration, DENSE);
}
