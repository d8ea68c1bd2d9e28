/**
 * `xattn plan`: what each schedule costs for a model on a cluster, by the paper's formulas and by
 * measured rates; or, with `paper`, what was published beside what is predicted.
 * @module
 */
import { readFileSync, statSync } from 'node:fs';
import { CLUSTERS, type Cluster, parseCluster } from '../../gpu/costs/clusters.ts';
import { MODELS, type Model, parseModel } from '../../gpu/costs/models.ts';
import { planOf } from '../../gpu/costs/plan.ts';
import type { ScheduleName } from '../../gpu/costs/schedules.ts';
import { checkGroup } from '../../gpu/schedules/groups.ts';
import { parseStrictly } from '../../reference/files/strict-json.ts';
import { checkFilesApart } from './options.ts';
import { clockText, onTheClock } from './plan-clock.ts';
import { paperText } from './plan-paper.ts';
import { planText } from './plan-text.ts';

export interface PlanOptions {
  model: string;
  cluster: string;
  seqQ: number;
  seqKv?: number;
  frames?: number;
  group?: number;
  schedule?: ScheduleName;
  trace?: string;
  svg?: string;
  paper?: true;
  json?: true;
}

const FILE_BYTES_MAX = 2 ** 20;
const FRAMES = 384;
/** Keys beyond are not whole numbers any more. */
const LENGTH_MAX = Number.MAX_SAFE_INTEGER;

function readJson(file: string): unknown {
  const found = statSync(file);
  if (found.isDirectory()) throw new RangeError(`${file}: it is a folder, expected a file`);
  if (found.size > FILE_BYTES_MAX) {
    throw new RangeError(`${file}: expected at most ${FILE_BYTES_MAX} bytes`);
  }
  const text = readFileSync(file, 'utf8');
  try {
    return parseStrictly(text, `${file}:`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : '';
    if (error instanceof SyntaxError) throw new RangeError(`${file}: expected JSON: ${reason}`);
    throw new RangeError(reason.startsWith(`${file}:`) ? reason : `${file}: ${reason}`);
  }
}

/** A preset by its name, or what a JSON file describes. */
function named<T extends { readonly name: string }>(
  option: string,
  given: string,
  presets: readonly T[],
  parse: (value: unknown, where: string) => T,
): T {
  const preset = presets.find(({ name }) => name === given);
  if (preset !== undefined) return preset;
  if (given.endsWith('.json')) return parse(readJson(given), given);
  const names = presets.map(({ name }) => name).join(' ');
  throw new RangeError(`"${option}" expected one of ${names} or a .json file, got "${given}"`);
}

function write(text: string): number {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  return 0;
}

export async function planCommand(options: PlanOptions): Promise<number> {
  if (options.paper) {
    const { comparePaper } = await import('../../gpu/costs/paper.ts');
    const comparison = comparePaper();
    return write(options.json ? JSON.stringify(comparison, null, 2) : paperText(comparison));
  }
  const model: Model = named('--model', options.model, MODELS, parseModel);
  const cluster: Cluster = named('--cluster', options.cluster, CLUSTERS, parseCluster);
  const frames = options.frames ?? FRAMES;
  const seq_kv = options.seqKv ?? frames * model.tokens_per_frame;
  if (seq_kv > LENGTH_MAX) {
    const most = Math.floor(LENGTH_MAX / model.tokens_per_frame);
    throw new RangeError(`"--frames" expected at most ${most} of this model, got ${frames}`);
  }
  const { group } = options;
  if (group !== undefined) checkGroup(group, { ranks: cluster.ranks, heads: model.heads });
  const setting = { model, cluster, seq_q: options.seqQ, seq_kv, group };
  checkFilesApart(options);
  const { schedule, trace, svg } = options;
  const asked = [schedule, trace, svg].some((one) => one !== undefined);
  const clock = asked ? await onTheClock(setting, options) : null;
  const plan = planOf(setting);
  if (options.json) {
    return write(JSON.stringify(clock === null ? plan : { ...plan, simulation: clock }, null, 2));
  }
  return write(clock === null ? planText(plan) : `${planText(plan)}\n\n${clockText(clock)}`);
}
