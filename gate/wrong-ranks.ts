/**
 * Wrong ranks: of a failing answer, whose blocks the wrong elements lie in, and whether a rank holds the
 * block of another.
 * @module
 */
import type { OutputName } from '../reference/case/case.ts';
import { shardedAlong } from '../reference/case/case-shapes.ts';
import { type GivenOutputs, STORED } from '../reference/case/given.ts';
import { unitRoundoff } from '../reference/numbers/format.ts';
import { entry } from '../reference/numbers/nth.ts';
import { elementCount, toFlat } from '../reference/numbers/tensor.ts';
import type { Expectation } from '../reference/verdict/expectation.ts';
import {
  fractionOf,
  isFailure,
  type OutputBounds,
  outputBounds,
  type RankShare,
  type Verdict,
} from '../reference/verdict/judge.ts';
import { listed } from './diagnosis/sentences.ts';

/** An answer, and what was expected of it. */
interface Compared {
  readonly outputs: GivenOutputs;
  readonly expected: Expectation;
}

/** One output, flat, and how its sharded axis lies in it. */
interface Flat {
  readonly name: OutputName;
  readonly by: 'q' | 'kv';
  readonly expected: readonly number[];
  readonly got: readonly number[];
  readonly bounds: OutputBounds;
  readonly outputMax: number;
  /** Elements before, along and after the axis. */
  readonly extents: readonly [outer: number, along: number, inner: number];
  readonly sizes: readonly number[];
}

/** Null: no rank holds a block of it, it has no element, or it was not given as the case wants it. */
function flat({ outputs, expected }: Compared, name: OutputName): Flat | null {
  const [values, given, along] = [expected.values[name], outputs[name], shardedAlong(name)];
  const stored = STORED[given?.dtype ?? ''];
  if (values === undefined || given === undefined || along === null || stored === undefined) {
    return null;
  }
  const { shape } = values;
  const sizes = expected.attentionCase.parameters.partition[along.by];
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const count = elementCount(shape);
  if (count === 0 || shape[along.axis] !== total || shape.join() !== given.tensor.shape.join()) {
    return null;
  }
  const extents = [
    elementCount(shape.slice(0, along.axis)),
    total,
    elementCount(shape.slice(along.axis + 1)),
  ] as const;
  return {
    ...{ name, by: along.by, extents, sizes, outputMax: expected.profile.outputMax },
    expected: toFlat(values),
    got: toFlat(given.tensor),
    bounds: outputBounds(expected, name, unitRoundoff(stored), count),
  };
}

/** Is the element `n` wrong, were it that of `of`? */
function isOff({ expected, got, bounds, outputMax }: Flat, n: number, of: number): boolean {
  if (bounds.excused?.[of] === true) return false;
  const pair = [entry(expected, of), entry(got, n)] as const;
  return fractionOf(bounds, of, pair, outputMax) > 1;
}

/** Every element at a position of the sharded axis: does `holds` hold of any? */
function someAt(
  { extents: [outer, along, inner] }: Flat,
  position: number,
  holds: (n: number) => boolean,
): boolean {
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) if (holds((o * along + position) * inner + i)) return true;
  }
  return false;
}

const startOf = ({ sizes }: Flat, rank: number): number =>
  sizes.slice(0, rank).reduce((sum, size) => sum + size, 0);

/** Positions of a rank's block at which something is wrong, in the whole output. */
function wrongPositions(output: Flat, rank: number): number[] {
  const start = startOf(output, rank);
  const block = Array.from({ length: entry(output.sizes, rank) }, (_, n) => start + n);
  return block.filter((position) => someAt(output, position, (n) => isOff(output, n, n)));
}

/** The rank whose block this one holds; null where it is nobody's. */
function heldInstead(output: Flat, rank: number): number | null {
  const { sizes, extents } = output;
  const [start, size] = [startOf(output, rank), entry(sizes, rank)];
  const found = sizes.findIndex((other, one) => {
    if (one === rank || other !== size || size === 0) return false;
    const shift = (startOf(output, one) - start) * extents[2];
    for (let n = 0; n < size; n++) {
      if (someAt(output, start + n, (at) => isOff(output, at, at + shift))) return false;
    }
    return true;
  });
  return found < 0 ? null : found;
}

/** What is wrong with a rank's block of one output. */
interface WrongBlock {
  readonly name: OutputName;
  readonly by: 'q' | 'kv';
  readonly start: number;
  readonly size: number;
  readonly positions: readonly number[];
  readonly holds: number | null;
}

function wrongBlocks(compared: Compared): Map<number, WrongBlock[]> {
  const { wants, partition } = compared.expected.attentionCase.parameters;
  const found = new Map<number, WrongBlock[]>();
  for (const output of wants.flatMap((name) => flat(compared, name) ?? [])) {
    for (let rank = 0; rank < partition.ranks; rank++) {
      const positions = wrongPositions(output, rank);
      if (positions.length === 0) continue;
      const block = {
        ...{ name: output.name, by: output.by, start: startOf(output, rank), positions },
        ...{ size: entry(output.sizes, rank), holds: heldInstead(output, rank) },
      };
      found.set(rank, [...(found.get(rank) ?? []), block]);
    }
  }
  return new Map([...found].sort(([a], [b]) => a - b));
}

const POSITIONS_MAX = 4;

/** `query 4`, `keys 3 to 7`, `queries 1, 4 and 6`. */
function placesIn({ by, positions }: WrongBlock): string {
  const [first = 0, last = first] = [positions[0], positions.at(-1)];
  const [one, many] = by === 'q' ? ['query', 'queries'] : ['key', 'keys'];
  if (positions.length === 1) return `${one} ${first}`;
  if (last - first === positions.length - 1) return `${many} ${first} to ${last}`;
  if (positions.length <= POSITIONS_MAX) return `${many} ${listed(positions.map(String))}`;
  return `${positions.length} of ${many} ${first} to ${last}`;
}

/** `out and lse of query 4 (of its queries 3 to 5)`; blocks alike are told together. */
function blocksSentence(blocks: readonly WrongBlock[]): string {
  const groups = new Map<string, OutputName[]>();
  for (const block of blocks) {
    const { by, start, size, positions, holds } = block;
    const all = positions.length === size;
    const own = `${by === 'q' ? 'queries' : 'keys'} ${start} to ${start + size - 1}`;
    const its = size === 1 ? 'its' : 'all its';
    const where = all ? `${its} ${placesIn(block)}` : `${placesIn(block)} of its ${own}`;
    const key = holds === null ? where : `${where}, which are rank ${holds}'s`;
    groups.set(key, [...(groups.get(key) ?? []), block.name]);
  }
  return [...groups].map(([where, names]) => `${listed(names)} at ${where}`).join('; ');
}

/** Ranks that are told of one by one, at most. */
const TOLD = 2;

function sentenceOf(found: ReadonlyMap<number, readonly WrongBlock[]>, ranks: number): string {
  const names = listed([...found.keys()].map(String));
  const who =
    found.size === ranks
      ? `all ${ranks} ranks are wrong`
      : found.size === 1
        ? `of ${ranks} ranks only rank ${names} is wrong`
        : `of ${ranks} ranks ${names} are wrong`;
  const told = [...found].slice(0, TOLD).map(([rank, blocks]) => {
    const about = blocksSentence(blocks);
    return found.size === 1 ? about : `rank ${rank} in ${about}`;
  });
  const more = found.size > TOLD ? ['…'] : [];
  return `${who}: ${[...told, ...more].join('; ')}`;
}

/** The verdict with what it says of ranks; of a right answer, or one rank, as it is. */
export function withRanks(verdict: Verdict, compared: Compared): Verdict {
  const { ranks } = compared.expected.attentionCase.parameters.partition;
  if (!isFailure(verdict.verdict) || ranks === 1) return verdict;
  const found = wrongBlocks(compared);
  if (found.size === 0) return verdict;
  const wrong_ranks = [...found].map(
    ([rank, blocks]): RankShare => ({ rank, outputs: blocks.map(({ name }) => name) }),
  );
  return { ...verdict, reason: `${verdict.reason}; ${sentenceOf(found, ranks)}`, wrong_ranks };
}
