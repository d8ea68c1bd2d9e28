/**
 * A schedule as a model for Spin: each rank a proctype, each operation one line.
 *
 * The text is a function of the schedule value and nothing else, so what is model-checked is what
 * is run. `lanes.pml` (spec/protocol), which the text includes, says what an operation means.
 * @module
 */
import type { RankEvent } from './interpreter.ts';
import type { Lane, Operation, Schedule } from './schedule.ts';

const LANE_NAMES: Readonly<Record<Lane, string>> = { query: 'QUERY', result: 'RESULT' };

/** What may go wrong on the way: a message may vanish, or one rank may stop for good. */
export type Fault = 'none' | 'lossy' | 'dying';

export interface ModelOptions {
  readonly fault?: Fault;
  /** Further switches of lanes.pml: COPYING, TRUSTING, LOSSES=n. */
  readonly switches?: readonly string[];
  /** Ranks in the order of their steps, as a log gives it; every interleaving when absent. */
  readonly order?: readonly number[];
}

/** One operation as a line of lanes.pml. */
function operationLine(operation: Operation): string {
  switch (operation.op) {
    case 'loadQuery':
      return `LOAD(${operation.slot}, ${operation.block})`;
    case 'initResult':
      return `INIT(${operation.slot}, ${operation.block})`;
    case 'recomputeKV':
      return 'RECOMPUTE';
    case 'send': {
      const { lane, slot, to, block } = operation;
      return `SEND(${LANE_NAMES[lane]}, ${slot}, ${to}, ${block})`;
    }
    case 'receive': {
      const { lane, slot, from, block } = operation;
      return `RECEIVE(${LANE_NAMES[lane]}, ${slot}, ${from}, ${block})`;
    }
    case 'computeBlock':
      return `COMPUTE(${operation.slot}, ${operation.block}, ${operation.keys})`;
    case 'merge':
      return `MERGE(${operation.slot}, ${operation.block})`;
    case 'finish':
      return `FINISH(${operation.slot}, ${operation.block})`;
    case 'projectGradients':
      return 'PROJECT';
  }
}

/** One rank: its passes one after another; keys are given unless the pass recomputes them. */
function rankProcess(rank: number, passes: readonly Schedule[]): string[] {
  const body = passes.flatMap(({ direction, ranks }, pass) => {
    const operations = ranks[rank] ?? [];
    const given = !operations.some(({ op }) => op === 'recomputeKV');
    return [
      `  /* ${direction} */`,
      `  BEGIN(${pass}, ${given})`,
      ...operations.map((operation) => `  ${operationLine(operation)}`),
      '  END',
    ];
  });
  return [
    `proctype rank${rank}() {`,
    `  STATE(${rank})`,
    ...body,
    '  goto stopped;',
    'stopped: FORGET',
    '}',
    '',
  ];
}

/** Comment with the layout, so that a reader of the model sees which one it is. */
function title([first]: readonly Schedule[], options: ModelOptions): string {
  const sizes = first === undefined ? '' : `q [${first.layout.q}], kv [${first.layout.kv}]`;
  return `/* ${first?.name}, ${sizes}, fault: ${options.fault ?? 'none'}; written by gpu/promela.ts */`;
}

/**
 * The Promela text of passes that run one after another (forward, backward, or both) on the same
 * ranks and wires, without any barrier between them. Throws RangeError without a pass, or with more
 * than 7 ranks, whose sets of blocks no longer fit the model's bytes.
 */
export function promelaModel(passes: readonly Schedule[], options: ModelOptions = {}): string {
  const ranks = passes[0]?.layout.ranks ?? 0;
  if (ranks < 1 || ranks > 7) throw new RangeError(`a model expected 1 to 7 ranks, got ${ranks}`);
  const all = Array.from({ length: ranks }, (_, rank) => rank);
  const { fault = 'none', switches = [], order } = options;
  const reliable = fault === 'none';
  return [
    title(passes, options),
    `#define RANKS ${ranks}`,
    ...(reliable ? [] : [`#define ${fault.toUpperCase()}`]),
    ...(order === undefined ? [] : ['#define ORDERED']),
    ...switches.map((name) => `#define ${name.replace('=', ' ')}`),
    '#include "lanes.pml"',
    '',
    ...all.flatMap((rank) => rankProcess(rank, passes)),
    ...(order === undefined
      ? []
      : ['proctype log() {', ...order.map((rank) => `  NEXT(${rank})`), '  skip', '}', '']),
    'init {',
    `  atomic {${all.map((rank) => ` run rank${rank}();`).join('')}${order === undefined ? '' : ' run log();'} }`,
    '  (_nr_pr == 1);',
    ...(reliable ? all.map((rank) => `  QUIET(QUERY, ${rank}) QUIET(RESULT, ${rank})`) : []),
    '  printf("accepted\\n")',
    '}',
    '',
  ].join('\n');
}

/** The passes that a log shows, rank by rank, as schedules over the given layout. */
export function schedulesOfLog(
  log: readonly RankEvent[],
  layout: Schedule['layout'],
  name: string,
): Schedule[] {
  const directions = [...new Set(log.map(({ direction }) => direction))];
  return directions.map((direction) => ({
    name,
    direction,
    layout,
    ranks: Array.from({ length: layout.ranks }, (_, rank) =>
      log
        .filter((event) => event.rank === rank && event.direction === direction)
        .map(({ operation }) => operation),
    ),
  }));
}
