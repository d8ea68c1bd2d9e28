/**
 * Trace validation: is the log of a run one that its schedule and the model of lanes.pml allow? What
 * the buffers held is followed in contents.ts.
 * @module
 */
import { isDeepStrictEqual } from 'node:util';
import type { RankEvent } from '../../gpu/interpreter.ts';
import { type ModelOptions, promelaModel, schedulesOfLog } from '../../gpu/promela.ts';
import type { Schedule } from '../../gpu/schedule.ts';
import { simulate } from './spin.ts';

/**
 * What the model says of a log, taking the blocks that were seen for the schedule: `sound`,
 * `deadlock`, or the name of the check that does not hold.
 */
export async function judgeLog(
  log: readonly RankEvent[],
  layout: Schedule['layout'],
  options: Omit<ModelOptions, 'order'>,
): Promise<string> {
  const passes = schedulesOfLog(log, layout, 'a log');
  const order = log.map(({ rank }) => rank);
  const { outcome } = await simulate(promelaModel(passes, { ...options, order }));
  return outcome;
}

/** The first rank whose operations are not those of the schedule, or null when all are. */
export function strayingRank(
  log: readonly RankEvent[],
  passes: readonly Schedule[],
): number | null {
  const layout = passes[0]?.layout;
  if (layout === undefined) throw new RangeError('a log expected at least one pass');
  const wanted = Array.from({ length: layout.ranks }, (_, rank) =>
    passes.flatMap(({ direction, ranks }) =>
      (ranks[rank] ?? []).map((operation) => ({ direction, operation })),
    ),
  );
  const found = wanted.map((_, rank) =>
    log
      .filter((event) => event.rank === rank)
      .map(({ direction, operation }) => ({ direction, operation })),
  );
  const strayed = wanted.findIndex((list, rank) => !isDeepStrictEqual(list, found[rank]));
  return strayed < 0 ? null : strayed;
}
