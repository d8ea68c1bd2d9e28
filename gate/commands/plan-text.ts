/**
 * A plan as text: tables of at most 100 columns, and a last line that says which schedule to take.
 * @module
 */
import type { Change } from '../../gpu/costs/choice.ts';
import type { Regime } from '../../gpu/costs/machine.ts';
import {
  type PassCosts,
  type Plan,
  PUBLISHED_NAMES,
  type Refused,
  type SchedulePlan,
} from '../../gpu/costs/plan.ts';
import { BASES, type Basis } from '../../gpu/costs/prediction.ts';
import { SCHEDULE_NAMES, type ScheduleName } from '../../gpu/costs/schedules.ts';
import { printable } from '../text.ts';
import { bytes, columns, length, short, times } from './plan-numbers.ts';

const isRefused = (plan: SchedulePlan | Refused): plan is Refused => 'unusable' in plan;

/** Schedules that have numbers. */
const entries = ({ schedules }: Plan): [ScheduleName, SchedulePlan][] =>
  SCHEDULE_NAMES.flatMap((name): [ScheduleName, SchedulePlan][] => {
    const plan = schedules[name];
    return isRefused(plan) ? [] : [[name, plan]];
  });

/** As published, by what that means, then otherwise. */
const ways = (plan: Plan): [string, PassCosts][] => [
  ...entries(plan).map(([name, one]): [string, PassCosts] => [PUBLISHED_NAMES[name], one]),
  ...Object.entries(plan.variants),
];

function layerTable(plan: Plan): string {
  const rows = ways(plan).map(([name, one]) => [
    name,
    bytes(one.forward_bytes_per_rank),
    bytes(one.backward_bytes_per_rank),
    ...BASES.flatMap((basis) => [short(one.forward_s[basis]), short(one.backward_s[basis])]),
  ]);
  return columns([
    ['one cross-attention', 'sent a rank', '', 'nominal s', '', 'calibrated s', ''],
    ['layer', 'forward', 'backward', 'forward', 'backward', 'forward', 'backward'],
    ...rows,
  ]);
}

const REGIMES: Readonly<Record<Regime, string>> = { compute: 'compute', communication: 'comm.' };
const regime = (one: Regime | null): string => (one === null ? '–' : REGIMES[one]);

function regimeTable(plan: Plan): string {
  const rows = ways(plan).map(([name, one]) => [
    name,
    ...BASES.flatMap((basis) => [
      regime(one.forward_regime[basis]),
      regime(one.backward_regime[basis]),
    ]),
  ]);
  return columns([
    ['bound by', 'nominal', '', 'calibrated', ''],
    ['', 'forward', 'backward', 'forward', 'backward'],
    ...rows,
  ]);
}

function iterationTable(plan: Plan): string {
  const ratio = (of: 'speedup' | 'iteration_speedup', name: string, basis: Basis): string => {
    const value = plan[of][basis][name as ScheduleName];
    return value === undefined || value === null ? '' : times(value);
  };
  const rows = entries(plan).map(([name, one]) => [
    name,
    ...BASES.flatMap((basis) => [
      short(one.cross_attention_s[basis]),
      ratio('speedup', name, basis),
    ]),
    ...BASES.flatMap((basis) => [
      short(one.iteration_s[basis]),
      ratio('iteration_speedup', name, basis),
    ]),
  ]);
  const pair = ['nominal', 'gain', 'calibr.', 'gain'];
  return columns([
    ['one iteration, s', 'cross', '', '', '', 'whole', '', '', ''],
    ['', ...pair, ...pair],
    ...rows,
  ]);
}

function memoryTable(plan: Plan): string {
  const rows = entries(plan).map(([name, one]) => {
    const [peak, other] = [one.peak_bytes_per_rank, one.peak_bytes_per_rank_otherwise];
    const [frames, less] = [one.longest_frames, one.longest_frames_otherwise];
    const both = (x: number, y: number, show: (value: number) => string): string[] =>
      one.recomputes ? [show(y), show(x)] : [show(x), show(y)];
    const count = (value: number): string => value.toLocaleString('en');
    return [name, ...both(peak, other, bytes), ...both(frames, less, count)];
  });
  return columns([
    ['memory of a rank', 'peak, K V', 'peak, K V', 'frames that fit', 'frames that fit'],
    ['for cross-attention', 'saved', 'recomputed', 'K V saved', 'K V recomputed'],
    ...rows,
  ]);
}

/** What the memory table counts that a run need not hold. */
const COUNTED =
  'K and V counted for every query head, as the paper does; grouped heads as run hold less';

function runMemoryTable({ as_run }: Plan): string {
  const rows = SCHEDULE_NAMES.flatMap((name) => {
    const one = as_run[name];
    if (one === null) return [];
    const held = [one.forward_buffers_bytes_per_rank, one.backward_buffers_bytes_per_rank];
    const [saved, peak] = [one.saved_bytes_per_rank, one.peak_bytes_per_rank];
    const cells = [bytes(saved), ...held.map(bytes), bytes(peak)];
    return [[name, ...cells, one.longest_frames.toLocaleString('en')]];
  });
  return columns([
    ['memory of a rank', 'saved', 'buffers', 'buffers', 'peak', 'frames'],
    ['as xattn run does it', '', 'forward', 'backward', '', 'that fit'],
    ...rows,
  ]);
}

const AS_RUN_COUNTED =
  'KV heads as they are; buffers of equal blocks as on the clock; lv-xattn recomputes K and V';

/** How USP deals ranks out. */
function uspLine({ usp_group: group, ranks }: Plan): string {
  if (group === 1) return 'usp: groups of one rank: LV-XAttn’s ring alone.';
  const groups = ranks / group;
  if (groups === 1) return `usp: one group of all ${group} ranks: Ulysses alone.`;
  return `usp: ${groups} groups of ${group} ranks, Ulysses within each, LV-XAttn’s ring between them.`;
}

/** `ring-attention to 1,023; lv-xattn from 1K on`. */
function changesLine(changes: readonly Change[]): string {
  return changes
    .map(({ at, best }, n) => (n === 0 ? best : `${best} from ${at.toLocaleString('en')}`))
    .join(', ');
}

function changeTable({ best_along, best_along_as_run, seq_q, seq_kv }: Plan): string {
  const of = (along: Plan['best_along']): string[] =>
    BASES.flatMap((basis) => [
      `  ${basis}, ${length(seq_q)} text tokens, keys: ${changesLine(along.seq_kv[basis])}`,
      `  ${basis}, ${length(seq_kv)} keys, text tokens: ${changesLine(along.seq_q[basis])}`,
    ]);
  return [
    'fastest in cross-attention, and from which length on another, to the token, as published:',
    ...of(best_along),
    'the same as xattn run does them:',
    ...of(best_along_as_run),
  ]
    .flatMap((line) => wrapped(line, 100))
    .join('\n');
}

/** A line cut at spaces, what follows indented. */
function wrapped(line: string, width: number): string[] {
  if (line.length <= width) return [line];
  const at = line.lastIndexOf(' ', width);
  return [line.slice(0, at), ...wrapped(`      ${line.slice(at + 1)}`, width)];
}

function basesLines({ calibration }: Plan): string {
  const { shares_of_nominal: share, link_of, link_is_assumed_alike } = calibration;
  const percent = (value: number): string => `${short(100 * value)} %`;
  const link =
    link_of === null
      ? 'its links as nominal, for nobody measured them'
      : `${percent(share.between_nodes)} of the link between nodes, ` +
        (link_is_assumed_alike ? `as on ${link_of} (assumed alike)` : `as measured on ${link_of}`);
  return [
    'nominal: data sheets, the paper’s formulas, perfect overlap, attention alone.',
    `calibrated: ${percent(share.attention)} of the peak in attention, ${percent(share.projections)} in its projections,`,
    `  ${percent(share.dense)} in other products; ${link};`,
    '  dK, dV and dQ travel while nothing is computed (gpu/costs/README.md).',
    'lv-xattn recomputes Q, K and V in the backward pass; the others save them.',
    'as published: O travels backward with queries, ring-attention sends a copy of K and V for each query',
    '  head, ulysses and head-parallel are as the LV-XAttn paper counts them. xattn run sends D for O, KV',
    '  heads as they are, and in ulysses and head-parallel Q, K and V again backward.',
  ].join('\n');
}

function lastLine({ speedup, iteration_speedup, schedules }: Plan): string {
  const best = BASES.map((basis) => {
    const usable = SCHEDULE_NAMES.flatMap((name) => {
      const seconds = schedules[name].cross_attention_s?.[basis];
      return seconds === undefined ? [] : [{ name, seconds }];
    });
    return usable.reduce((least, one) => (one.seconds < least.seconds * (1 - 1e-9) ? one : least));
  }).map(({ name }) => name);
  const [nominal, calibrated] = best;
  const which =
    nominal === calibrated ? `${nominal}` : `${nominal} nominally, ${calibrated} calibrated`;
  const ring = BASES.map((basis) => times(speedup[basis]['ring-attention'] ?? 1));
  const whole = BASES.map((basis) => times(iteration_speedup[basis]['ring-attention'] ?? 1));
  return (
    `Fastest: ${which}.\nLV-XAttn over Ring Attention: cross-attention ${ring[0]} nominal, ` +
    `${ring[1]} calibrated;\n  iteration ${whole[0]} nominal, ${whole[1]} calibrated.`
  );
}

export function planText(plan: Plan): string {
  const { seq_q, seq_kv, frames, ranks, schedules } = plan;
  const unusable = SCHEDULE_NAMES.flatMap((name) => {
    const one = schedules[name];
    return isRefused(one) ? [`not here: ${one.unusable}`] : [];
  });
  const names = `${printable(plan.model, 40)} on ${printable(plan.cluster, 40)}`;
  const frame = Number.isInteger(frames) ? `${frames.toLocaleString('en')} frames` : 'visual input';
  const heading =
    `${names}, ${ranks} ranks: ${seq_q.toLocaleString('en')} text tokens, ` +
    `${frame} of ${seq_kv.toLocaleString('en')} keys`;
  const held = `${bytes(plan.memory_bytes_per_rank)} a rank, ${bytes(plan.state_bytes_per_rank)} of it weights and their states`;
  return [
    `${wrapped(heading, 100).join('\n')}\n${basesLines(plan)}\n${uspLine(plan)}`,
    layerTable(plan),
    regimeTable(plan),
    `${iterationTable(plan)}\n(gain: how many times as long as LV-XAttn)`,
    `${memoryTable(plan)}\n(${held};\n${COUNTED})`,
    `${runMemoryTable(plan)}\n(${AS_RUN_COUNTED})`,
    changeTable(plan),
    [...unusable, lastLine(plan)].join('\n'),
  ].join('\n\n');
}
