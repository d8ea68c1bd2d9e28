/**
 * Random fault plans, and what must come of each: the right bits, or an error that says where.
 * @module
 */
import fc from 'fast-check';
import { type CaseChanges, drawCase } from '../../reference/case/draw-case.ts';
import type { Shard } from '../context.ts';
import { deviceOf } from '../device/choose.ts';
import { distribute } from '../distribute.ts';
import { StepError } from '../interpreter.ts';
import { messagesOf } from '../labels.ts';
import type { RankResult } from '../rank.ts';
import { passesOf, runOnOneThread } from '../run.ts';
import type { Schedule } from '../schedule.ts';
import { SCHEDULE_NAMES, type ScheduleName } from '../schedules/index.ts';
import {
  type Corruption,
  type Fault,
  faultsOf,
  HEADER_FIELDS,
  LABEL_FIELDS,
  type MessageName,
} from '../transport/faults.ts';
import { type Choose, chooseBySeed } from '../transport/simulated.ts';

/** A run that faults are to be put into. */
export interface Target {
  readonly name: string;
  readonly shards: readonly Shard[];
  readonly passes: readonly Schedule[];
  readonly messages: readonly MessageName[];
  /** Every result without faults. */
  readonly bits: Uint8Array;
}

/** All bytes of all results, one behind another. */
export function bitsOf(results: readonly RankResult[]): Uint8Array {
  const arrays = results.flatMap(({ dBias, ...named }) => [
    ...Object.values(named),
    ...dBias.map(({ values }) => values),
  ]);
  return Buffer.concat(
    arrays.map(({ buffer, byteOffset, byteLength }) =>
      Buffer.from(new Uint8Array(buffer, byteOffset, byteLength)),
    ),
  );
}

function messageNames(shard: Shard, passes: readonly Schedule[]): MessageName[] {
  const counts = new Map<string, number>();
  return passes
    .flatMap((pass) => messagesOf(shard.parameters, pass))
    .map(({ from, to, lane }) => {
      const key = `${from}/${to}/${lane}`;
      const sequence = counts.get(key) ?? 0;
      counts.set(key, sequence + 1);
      return { from, to, lane, sequence };
    });
}

/** Layouts of 4 rows and 6 keys, uneven, with ranks that have none. */
const LAYOUTS = [
  { ranks: 2, q: [1, 3], kv: [6, 0] },
  { ranks: 2, q: [2, 2], kv: [3, 3] },
  { ranks: 3, q: [2, 0, 2], kv: [1, 5, 0] },
  { ranks: 4, q: [1, 0, 2, 1], kv: [0, 1, 2, 3] },
];
const SIZES: CaseChanges = { seq_q: 4, seq_kv: 6, kv_heads: 2, head_dim: 1, head_dim_v: 1 };
const FEATURES: readonly CaseChanges[] = [
  {},
  { sink: true, bias: [1, 1, 4, 6] },
  { gradients: false },
];

async function targetOf(name: ScheduleName, changes: CaseChanges): Promise<Target> {
  const c = drawCase(4, { ...SIZES, ...changes });
  const shards = distribute(c, 'f64');
  const passes = passesOf(c, name);
  const [shard] = shards;
  if (shard === undefined) throw new Error('a layout has at least one rank');
  const { results } = await runOnOneThread(shards, passes, deviceOf('reference'), {});
  const layout = JSON.stringify(c.parameters.partition);
  const messages = messageNames(shard, passes);
  return { name: `${name} ${layout}`, shards, passes, messages, bits: bitsOf(results) };
}

/** Every schedule, on every layout, with every feature; heads can be dealt out. */
export const targets = (): Promise<Target[]> =>
  Promise.all(
    SCHEDULE_NAMES.flatMap((name) =>
      LAYOUTS.flatMap((partition) =>
        FEATURES.map((feature) =>
          targetOf(name, { ...feature, partition, heads: 2 * partition.ranks }),
        ),
      ),
    ),
  );

const by = fc.integer({ min: 1, max: 3 });
const corruption: fc.Arbitrary<Corruption> = fc.oneof(
  fc.record({ of: fc.constant('payload' as const), bit: fc.nat({ max: 4095 }) }),
  fc.record({ of: fc.constant('length' as const), by }),
  fc.record({ of: fc.constant('label' as const), field: fc.constantFrom(...LABEL_FIELDS), by }),
  fc.record({ of: fc.constant('header' as const), field: fc.constantFrom(...HEADER_FIELDS), by }),
);

function faultArbitrary({ messages, passes }: Target): fc.Arbitrary<Fault> {
  const message = fc.constantFrom(...messages);
  const turns = fc.integer({ min: 1, max: 40 });
  const steps = passes.flatMap(({ ranks }, pass) =>
    ranks.flatMap((list, rank) => list.map((_, step) => ({ rank, place: { pass, step } }))),
  );
  const late = fc.record({ kind: fc.constantFrom('delay' as const, 'duplicate'), message, turns });
  const lost = fc.constantFrom('reorder' as const, 'drop', 'unacknowledged');
  const ending = fc.constantFrom('die' as const, 'stall');
  return fc.oneof(
    late,
    fc.record({ kind: lost, message }),
    fc.record({ kind: fc.constant('corrupt' as const), message, what: corruption }),
    fc
      .tuple(ending, fc.constantFrom(...steps))
      .map(([kind, { rank, place }]): Fault => ({ kind, rank, place })),
  );
}

export interface Plan {
  readonly target: Target;
  readonly seed: number;
  readonly faults: readonly Fault[];
}

/** One to four faults, in any run and interleaving. */
export function planArbitrary(all: readonly Target[]): fc.Arbitrary<Plan> {
  const plans = all.map((target) => {
    const faults = fc.array(faultArbitrary(target), { minLength: 1, maxLength: 4 });
    return fc.record({ target: fc.constant(target), seed: fc.nat(), faults });
  });
  return fc.oneof(...plans);
}

/** How a plan ended. */
export type Ending = 'right' | 'error';

const HARMLESS: readonly Fault['kind'][] = ['delay', 'reorder'];
const sentence =
  /^rank \d+, pass \d+, step \d+ \(\w+( on lane (query|result|keys|gradients))?\): ./;

/** Where one thing was lost, or one rank ended: whether an error names it; null where more happened. */
function blamedFor(faults: readonly Fault[]): ((error: StepError) => boolean) | null {
  const [fault, ...others] = faults.filter(({ kind }) => !HARMLESS.includes(kind));
  if (fault === undefined || others.length > 0) return null;
  if (fault.kind === 'die' || fault.kind === 'stall') {
    const { rank, place } = fault;
    return (at) => at.rank === rank && at.pass === place.pass && at.step === place.step;
  }
  if (fault.kind !== 'drop' && fault.kind !== 'unacknowledged') return null;
  const { from, to, lane, sequence } = fault.message;
  if (fault.kind === 'unacknowledged') return (at) => at.rank === from && at.lane === lane;
  // The next message may come in its place.
  const named = new RegExp(
    `message ${sequence} from rank ${from}|a message from rank ${from} expected`,
  );
  return (at) => at.rank === to && at.lane === lane && named.test(at.message);
}

/** Runs a plan, in the order of its seed where nobody chooses. Throws, saying what is wrong, where it ends in neither of the two right ways. */
export async function endingOf(
  { target, seed, faults: plan }: Plan,
  choose: Choose = chooseBySeed(seed),
): Promise<Ending> {
  const { faults, happened } = faultsOf(plan);
  const wrong = (what: string): Error =>
    new Error(`${target.name}, seed ${seed}, ${JSON.stringify(plan)}: ${what}`);
  const run = runOnOneThread(
    target.shards,
    target.passes,
    deviceOf('reference'),
    { choose },
    faults,
  );
  const ended = await run.then(
    ({ results }) => results,
    (error: unknown) => error,
  );
  if (happened.accepted.size > 0) throw wrong('a rank took what was corrupted');
  if (Array.isArray(ended)) {
    if (Buffer.compare(bitsOf(ended), target.bits) !== 0) throw wrong('it has other bits');
    const fatal = [...happened.faults].find(({ kind }) => kind === 'die' || kind === 'stall');
    if (fatal !== undefined) throw wrong(`it ended well though a rank did ${fatal.kind}`);
    return 'right';
  }
  if (!(ended instanceof StepError)) throw wrong(`it ended in ${ended}`);
  if (!sentence.test(ended.message)) throw wrong(`its error does not say where: ${ended.message}`);
  const known = target.passes[ended.pass]?.ranks[ended.rank]?.[ended.step];
  if (known === undefined) throw wrong(`there is no such step: ${ended.message}`);
  if (ended.lane !== ('lane' in known ? known.lane : null)) throw wrong(`lane: ${ended.message}`);
  const blamed = blamedFor([...happened.faults]);
  if (blamed !== null && !blamed(ended)) throw wrong(`it blames another one: ${ended.message}`);
  if ([...happened.faults].every(({ kind }) => HARMLESS.includes(kind))) {
    throw wrong(`it failed though nothing was lost: ${ended.message}`);
  }
  return 'error';
}
