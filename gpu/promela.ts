/**
 * A schedule as a model for Spin: every rank a process, one line an operation.
 *
 * The text is a function of the schedule value and nothing else, so what is model-checked is what
 * is run. `lanes.pml` (spec/protocol), which the text includes, says what an operation means.
 * @module
 */
import type { RankEvent } from './interpreter.ts';
import type { BufferName, Kind, Operation, Schedule } from './schedule.ts';

const KIND_NAMES: Readonly<Record<Kind, string>> = {
  query: 'QUERY',
  result: 'RESULT',
  keys: 'KEYS',
  gradients: 'GRADIENTS',
};

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
  /** Pairs of a query block and a KV block that need not be computed; none when absent. */
  readonly isSkipped?: (block: number, keys: number) => boolean;
  /** Tells Spin who uses which channel, for its partial order reduction. */
  readonly reduced?: boolean;
}

/** Most ranks and head groups: sets of either, and the sinks, must fit the model's bytes. */
const SET_MAX = 7;

/** A set of numbers as bits. */
const bits = (numbers: readonly number[]): number => numbers.reduce((set, n) => set | (1 << n), 0);

/** What all ranks' processes have in common. */
interface Plan {
  readonly passes: readonly Schedule[];
  readonly ranks: number;
  readonly options: ModelOptions;
  /** First heads of the head groups, and the number of heads: the coarsest cut that is made. */
  readonly cuts: readonly number[];
  /** Channels that are sent on or waited for, "sender receiver kind". */
  readonly wires: readonly string[];
}

const wireOf = (rank: number, operation: Extract<Operation, { op: 'send' | 'receive' }>): string =>
  operation.op === 'send'
    ? `${rank} ${operation.to} ${operation.lane}`
    : `${operation.from} ${rank} ${operation.lane}`;

function planOf(passes: readonly Schedule[], options: ModelOptions): Plan {
  const ranks = passes[0]?.layout.ranks ?? 0;
  if (ranks < 1 || ranks > SET_MAX) {
    throw new RangeError(`a model expected 1 to ${SET_MAX} ranks, got ${ranks}`);
  }
  const lists = passes.flatMap((pass) => pass.ranks.map((list, rank) => ({ list, rank })));
  const heads = lists.flatMap(({ list }) =>
    list.flatMap((o) => (o.op === 'takeHeads' ? [o.from, o.to] : [])),
  );
  const cuts = [...new Set([0, ...heads])].sort((a, b) => a - b);
  if (cuts.length === 1) cuts.push(1);
  if (cuts.length - 1 > SET_MAX) {
    throw new RangeError(`a model expected at most ${SET_MAX} head groups, got ${cuts.length - 1}`);
  }
  const used = lists.flatMap(({ list, rank }) =>
    list.flatMap((o) => (o.op === 'send' || o.op === 'receive' ? [wireOf(rank, o)] : [])),
  );
  return { passes, ranks, options, cuts, wires: [...new Set(used)].sort() };
}

/** The groups in a range of query heads. */
const groupsOf = ({ cuts }: Plan, from: number, to: number): number =>
  bits(cuts.slice(0, -1).flatMap((first, n) => (first >= from && first < to ? [n] : [])));

/** Every buffer that an operation reads or writes. */
function buffersOf(operation: Operation): BufferName[] {
  const { op: _, ...fields } = operation;
  const {
    buffer,
    buffers = [],
    into,
    like,
    query,
    keys,
    sums,
  } = fields as {
    readonly [Field in 'buffer' | 'into' | 'like' | 'query' | 'keys']?: BufferName;
  } & { readonly buffers?: readonly BufferName[]; readonly sums?: BufferName | null };
  const names = [query, keys, like, buffer, ...buffers, into, sums];
  return names.filter((name): name is BufferName => typeof name === 'string');
}

/** Writes one rank's process, operation by operation. */
class RankWriter {
  readonly #plan: Plan;
  readonly #rank: number;
  readonly #buffers: readonly BufferName[];
  /** By channel: how many messages have gone through it. */
  readonly #counts = new Map<string, number>();
  /** By channel that is sent on: the buffer that its last message was read from. */
  readonly #sources = new Map<string, BufferName>();

  constructor(plan: Plan, rank: number) {
    [this.#plan, this.#rank] = [plan, rank];
    const all = plan.passes.flatMap(({ ranks }) => (ranks[rank] ?? []).flatMap(buffersOf));
    this.#buffers = [...new Set(all)];
  }

  lines(): string[] {
    const { passes, options, wires } = this.#plan;
    const own = wires.map((wire, n) => ({ n, ends: wire.split(' ') }));
    const uses = own.flatMap(({ n, ends: [from, to] }) => [
      ...(Number(from) === this.#rank ? [`  xs wire${n};`] : []),
      ...(Number(to) === this.#rank ? [`  xr wire${n};`] : []),
    ]);
    return [
      ...['ME', 'BUFFERS'].map((name) => `#undef ${name}`),
      `#define ME ${this.#rank}`,
      `#define BUFFERS ${Math.max(1, this.#buffers.length)}`,
      `proctype rank${this.#rank}() {`,
      `  RANK(BUFFERS);`,
      ...(options.reduced ? uses : []),
      ...passes.flatMap((pass, n) => this.#passLines(pass, n)),
      ...(options.fault === undefined || options.fault === 'none'
        ? []
        : ['stopped:', '  atomic { FORGET }']),
      '}',
    ];
  }

  #passLines({ direction, ranks }: Schedule, pass: number): string[] {
    const { passes } = this.#plan;
    const list = ranks[this.#rank] ?? [];
    if (list.length === 0) {
      throw new RangeError(`rank ${this.#rank} expected at least one operation in pass ${pass}`);
    }
    const next = passes[pass + 1];
    const begin = next?.direction === 'backward' ? 'BEGIN_BACKWARD' : 'skip';
    const end = `END_PASS; ${next === undefined ? 'FORGET' : begin}`;
    return [
      ...['PASS', 'BACKWARD'].map((name) => `#undef ${name}`),
      `#define PASS ${pass}`,
      `#define BACKWARD ${direction === 'backward'}`,
      ...list.map((o, n) => this.#line(o, n < list.length - 1 ? 'skip' : end)),
    ];
  }

  #line(operation: Operation, after: string): string {
    if (operation.op !== 'send' && operation.op !== 'receive') {
      return `  DO(${this.#body(operation)}, ${after})`;
    }
    const { op, lane, buffer, blocks } = operation;
    const channel = wireOf(this.#rank, operation);
    const place = this.#counts.get(channel) ?? 0;
    this.#counts.set(channel, place + 1);
    const wire = `wire${this.#plan.wires.indexOf(channel)}`;
    const message = `${wire}, ${this.#at(buffer)}, ${KIND_NAMES[lane]}, ${bits(blocks)}, ${place}`;
    if (op === 'receive') return `  RECEIVE(${message}, ${this.#emptied(buffer)}, ${after})`;
    this.#sources.set(channel, buffer);
    return `  SEND(${message}, ${after})`;
  }

  #at(name: BufferName): number {
    return this.#buffers.indexOf(name);
  }

  /**
   * When a buffer is read by nobody: when each channel is empty whose last message came from it. An
   * earlier one has been taken, for a channel has one place.
   */
  #emptied(name: BufferName): string {
    const { wires } = this.#plan;
    const read = [...this.#sources].filter(([, source]) => source === name);
    const all = read.map(([channel]) => `len(wire${wires.indexOf(channel)}) == 0`);
    return all.join(' && ') || 'true';
  }

  #call(macro: string, reads: readonly BufferName[], into: BufferName, ...more: unknown[]): string {
    const all = [...reads, into].map((name) => this.#at(name));
    return `${macro}(${[...all, ...more, this.#emptied(into)].join(', ')})`;
  }

  #body(o: Exclude<Operation, { readonly op: 'send' | 'receive' }>): string {
    switch (o.op) {
      case 'loadQuery':
        return this.#call('LOAD_QUERY', [], o.into);
      case 'loadKeys':
        return this.#call('LOAD_KEYS', [], o.into);
      case 'recomputeKV':
        return this.#call('RECOMPUTE', [], o.into);
      case 'initResult':
        return this.#call('INIT_RESULT', [o.like], o.into, o.sink);
      case 'initGradients':
        return this.#call('INIT_GRADIENTS', [o.like], o.into);
      case 'computeBlock':
        return this.#compute(o);
      case 'merge':
        return this.#call('MERGE', [o.buffer], o.into);
      case 'join': {
        const [first = '', ...others] = o.buffers;
        const next = others.map((name) => `JOIN_NEXT(${this.#at(name)}); `);
        return `JOIN(${this.#at(first)}); ${next.join('')}${this.#call('JOINED', [], o.into)}`;
      }
      case 'takeBlocks':
        return this.#call('TAKE_BLOCKS', [o.buffer], o.into, bits(o.blocks));
      case 'takeHeads':
        return this.#call('TAKE_HEADS', [o.buffer], o.into, groupsOf(this.#plan, o.from, o.to));
      case 'padHeads':
        return this.#call('PAD', [o.buffer], o.into);
      case 'expandHeads':
        return this.#call('EXPAND', [o.buffer], o.into);
      case 'reduceHeads':
        return this.#call('REDUCE', [o.buffer], o.into);
      case 'release':
        return this.#release(o.buffer);
      case 'finish':
        return `FINISH(${this.#at(o.buffer)}, ${this.#needed().join(', ')})`;
      case 'projectGradients':
        return 'PROJECT';
    }
  }

  /** What is still read from the buffer keeps its memory: the name is free for other memory. */
  #release(buffer: BufferName): string {
    for (const [channel, source] of this.#sources) {
      if (source === buffer) this.#sources.delete(channel);
    }
    return `RELEASE(${this.#at(buffer)})`;
  }

  /** Without sums forward, where there are none to make. */
  #compute({ query, keys, into, sums }: Extract<Operation, { op: 'computeBlock' }>): string {
    const plain = this.#call('COMPUTE', [query, keys], into);
    if (sums === null) return plain;
    const args = [query, keys, into].map((name) => this.#at(name)).join(', ');
    const emptied = `${this.#emptied(into)}, ${this.#at(sums)}, ${this.#emptied(sums)}`;
    return `COMPUTE_SUMS(${args}, ${emptied})`;
  }

  /** The KV blocks that the rank's queries must meet, and the query blocks that its keys must. */
  #needed(): [number, number] {
    const { ranks, options } = this.#plan;
    const { isSkipped = () => false } = options;
    const others = Array.from({ length: ranks }, (_, n) => n);
    return [
      bits(others.filter((other) => !isSkipped(this.#rank, other))),
      bits(others.filter((other) => !isSkipped(other, this.#rank))),
    ];
  }
}

/** Comment with the layout, so that a reader of the model sees which one it is. */
function title([first]: readonly Schedule[], options: ModelOptions): string {
  const sizes = first === undefined ? '' : `q [${first.layout.q}], kv [${first.layout.kv}]`;
  return `/* ${first?.name}, ${sizes}, fault: ${options.fault ?? 'none'}; written by gpu/promela.ts */`;
}

/** The process that starts all others; `order` after its last step is nobody's turn. */
function initLines({ ranks, options, wires }: Plan): string[] {
  const { order, reduced } = options;
  const steps = order === undefined ? [] : [...order, 255].map((r, n) => `order[${n}] = ${r};`);
  const run = Array.from({ length: ranks }, (_, rank) => `run rank${rank}();`).join(' ');
  const empty = wires.map((_, n) => `len(wire${n}) == 0`).join(' && ') || 'true';
  return [
    'init {',
    ...(order === undefined ? [] : ['  d_step {', ...steps.map((line) => `    ${line}`), '  }']),
    `  atomic { ${run} }`,
    '  (_nr_pr == 1);',
    // Whoever looks at all channels is one more who uses them.
    ...(reduced ? [] : [`  FINALLY(${empty});`]),
    '  printf("accepted\\n")',
    '}',
  ];
}

/**
 * The Promela text of passes that run one after another (forward, backward, or both) on the same
 * ranks and channels, without any barrier between them. Throws RangeError without a pass, with more
 * than 7 ranks or head groups, whose sets no longer fit the model's bytes, or with an empty list.
 */
export function promelaModel(passes: readonly Schedule[], options: ModelOptions = {}): string {
  const plan = planOf(passes, options);
  const { fault = 'none', switches = [], order, recompute = false } = options;
  return [
    title(passes, options),
    `#define RANKS ${plan.ranks}`,
    `#define GROUPS ${plan.cuts.length - 1}`,
    `#define RECOMPUTES ${recompute}`,
    ...(fault === 'none' ? [] : [`#define ${fault.toUpperCase()}`]),
    ...(order === undefined ? [] : [`#define ORDERED ${order.length + 1}`]),
    ...switches.map((name) => `#define ${name.replace('=', ' ')}`),
    '#include "lanes.pml"',
    ...plan.wires.map((wire, n) => `chan wire${n} = MESSAGE; /* ${wire} */`),
    ...Array.from({ length: plan.ranks }, (_, rank) => new RankWriter(plan, rank).lines()).flat(),
    ...initLines(plan),
    '',
  ].join('\n');
}

/** What was seen, as the operation that it amounts to: with the blocks that were there. */
function observed({ operation, seen }: RankEvent): Operation {
  if (seen === null) throw new RangeError('a log expected contents: run with "observing"');
  if (operation.op === 'send' || operation.op === 'receive') {
    return { ...operation, blocks: seen.message?.label?.blocks ?? [] };
  }
  if (operation.op === 'takeBlocks') {
    return { ...operation, blocks: seen.after[operation.into]?.label?.blocks ?? [] };
  }
  return operation;
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
