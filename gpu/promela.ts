/**
 * A schedule as a model for Spin: a table of all ranks' operations, one line each.
 *
 * The text is a function of the schedule value and nothing else, so what is model-checked is what
 * is run. `lanes.pml` (spec/protocol), which the text includes, says what an operation means.
 * @module
 */
import type { RankEvent } from './interpreter.ts';
import type { Lane, Operation, Schedule } from './schedule.ts';

const LANE_NAMES: Readonly<Record<Lane, string>> = { query: 'QUERY', result: 'RESULT' };

/** What may go wrong on the way. Any message may vanish, or one rank may stop for good. */
export type Fault = 'none' | 'lossy' | 'dying';

export interface ModelOptions {
  /** Keys are recomputed from features in every pass, and a backward pass projects onto them. */
  readonly recompute?: boolean;
  readonly fault?: Fault;
  /** Further switches of lanes.pml: COPYING, TRUSTING, LOSSES=n. */
  readonly switches?: readonly string[];
  /** Ranks in the order of their steps, as a log gives it; every interleaving when absent. */
  readonly order?: readonly number[];
}

/** One operation as a line of the table: OP(what, lane, slot, other rank or keys, query block). */
function operationLine(operation: Operation): string {
  switch (operation.op) {
    case 'loadQuery':
      return `OP(LOAD, 0, ${operation.slot}, 0, ${operation.block})`;
    case 'initResult':
      return `OP(INIT, 0, ${operation.slot}, 0, ${operation.block})`;
    case 'recomputeKV':
      return 'OP(RECOMPUTE, 0, 0, 0, 0)';
    case 'send': {
      const { lane, slot, to, block } = operation;
      return `OP(SEND, ${LANE_NAMES[lane]}, ${slot}, ${to}, ${block})`;
    }
    case 'receive': {
      const { lane, slot, from, block } = operation;
      return `OP(RECEIVE, ${LANE_NAMES[lane]}, ${slot}, ${from}, ${block})`;
    }
    case 'computeBlock':
      return `OP(COMPUTE, 0, ${operation.slot}, ${operation.keys}, ${operation.block})`;
    case 'merge':
      return `OP(MERGE, 0, ${operation.slot}, 0, ${operation.block})`;
    case 'finish':
      return `OP(FINISH, 0, ${operation.slot}, 0, ${operation.block})`;
    case 'projectGradients':
      return 'OP(PROJECT, 0, 0, 0, 0)';
  }
}

/** One rank's lines: its passes one after another. */
function rankLines(rank: number, passes: readonly Schedule[], recompute: boolean): string[] {
  const body = passes.flatMap(({ direction, ranks }, pass) => [
    `OP(BEGIN, ${Number(recompute)}, ${Number(direction === 'backward')}, 0, ${pass})`,
    ...(ranks[rank] ?? []).map(operationLine),
    'OP(END, 0, 0, 0, 0)',
  ]);
  return [...body, 'OP(STOP, 0, 0, 0, 0)'];
}

/** Comment with the layout, so that a reader of the model sees which one it is. */
function title([first]: readonly Schedule[], options: ModelOptions): string {
  const sizes = first === undefined ? '' : `q [${first.layout.q}], kv [${first.layout.kv}]`;
  return `/* ${first?.name}, ${sizes}, fault: ${options.fault ?? 'none'}; written by gpu/promela.ts */`;
}

/** Table sizes that the model's bytes can count. */
const LENGTH_MAX = 250;

/** A macro that fills an array, one entry a line. */
function table(name: string, array: string, entries: readonly string[]): string[] {
  const lines = entries.map((entry, n) => `  ${array}[${n}] = ${entry};`);
  return [`#define ${name} \\`, lines.join(' \\\n')];
}

/**
 * The Promela text of passes that run one after another (forward, backward, or both) on the same
 * ranks and wires, without any barrier between them. Throws RangeError without a pass, with more
 * than 7 ranks, whose sets of blocks no longer fit the model's bytes, or with an endless list.
 */
export function promelaModel(passes: readonly Schedule[], options: ModelOptions = {}): string {
  const ranks = passes[0]?.layout.ranks ?? 0;
  if (ranks < 1 || ranks > 7) throw new RangeError(`a model expected 1 to 7 ranks, got ${ranks}`);
  const { fault = 'none', switches = [], order, recompute = false } = options;
  const lists = Array.from({ length: ranks }, (_, rank) => rankLines(rank, passes, recompute));
  const length = Math.max(...lists.map((list) => list.length));
  if (length > LENGTH_MAX) {
    throw new RangeError(`a model expected at most ${LENGTH_MAX} operations a rank, got ${length}`);
  }
  const stop = 'OP(STOP, 0, 0, 0, 0)';
  const padded = lists.map((list) => [...list, ...Array(length - list.length).fill(stop)]);
  return [
    title(passes, options),
    `#define RANKS ${ranks}`,
    `#define LENGTH ${length}`,
    `#define SIZE ${length * ranks}`,
    ...(fault === 'none' ? [] : [`#define ${fault.toUpperCase()}`]),
    ...(order === undefined
      ? []
      : [`#define ORDERED ${order.length + 1}`, ...table('ORDER', 'order', order.map(String))]),
    ...switches.map((name) => `#define ${name.replace('=', ' ')}`),
    ...table('PROGRAM', 'program', padded.flat()),
    '#include "lanes.pml"',
    '',
  ].join('\n');
}

/** What was seen, as the operation that it amounts to: the block that was there, and whose keys. */
function observed({ operation, seen }: RankEvent): Operation {
  if (seen === null) throw new RangeError('a log expected contents: run with "observing"');
  const { after, message } = seen;
  switch (operation.op) {
    case 'loadQuery':
      return { ...operation, block: after[`query${operation.slot}`].block };
    case 'initResult':
    case 'merge':
      return { ...operation, block: after[`result${operation.slot}`].block };
    case 'finish':
      // What is kept is what was in the slot; accept.ts compares the two.
      return { ...operation, block: seen.before[`result${operation.slot}`].block };
    case 'send':
    case 'receive':
      return { ...operation, block: message?.block ?? -1 };
    case 'computeBlock': {
      const { block, merged } = after.delta;
      return { ...operation, block, keys: merged[0] ?? -1 };
    }
    case 'recomputeKV':
    case 'projectGradients':
      return operation;
  }
}

/**
 * The passes that a log shows, rank by rank, as schedules over the given layout: not the blocks that
 * the run's schedule names but those that were there. Throws RangeError for a log without contents.
 */
export function schedulesOfLog(
  log: readonly RankEvent[],
  layout: Schedule['layout'],
  name: string,
): Schedule[] {
  const passes = [...new Set(log.map(({ pass }) => pass))].sort((a, b) => a - b);
  return passes.map((pass) => {
    const own = log.filter((event) => event.pass === pass);
    const ranks = Array.from({ length: layout.ranks }, (_, rank) =>
      own.filter((event) => event.rank === rank).map(observed),
    );
    return { name, direction: own[0]?.direction ?? 'forward', layout, ranks };
  });
}
