/**
 * Names of operations for people who look at a timeline: which queries meet which keys, by block.
 * @module
 */
import { spanName } from './perfetto.ts';
import type { BufferName, Operation } from './schedule.ts';

const BLOCKS_NAMED = 4;

/** `3`, `0,1`, `0–7`: of many only the ends. */
const named = (blocks: readonly number[]): string =>
  blocks.length <= BLOCKS_NAMED ? blocks.join() : `${blocks[0]}–${blocks.at(-1)}`;

/** The blocks that a buffer of a rank holds before its operation `at`. */
function blocksIn(
  list: readonly Operation[],
  rank: number,
  at: number,
  name: BufferName,
): readonly number[] {
  for (let n = at - 1; n >= 0; n--) {
    const o = list[n];
    if (o === undefined) break;
    if (o.op === 'receive' && o.buffer === name) return o.blocks;
    if (!('into' in o) || o.into !== name) continue;
    if (o.op === 'loadQuery' || o.op === 'loadKeys' || o.op === 'recomputeKV') return [rank];
    if (o.op === 'takeBlocks') return o.blocks;
    if (o.op === 'join') return o.buffers.flatMap((part) => blocksIn(list, rank, n, part));
    if (o.op === 'takeHeads' || o.op === 'expandHeads') return blocksIn(list, rank, n, o.buffer);
  }
  return [];
}

/** What a rank's operation `at` is: `q3·k0`, or as in a trace. */
export function nameAt(list: readonly Operation[], rank: number, at: number): string {
  const operation = list[at];
  if (operation === undefined) return '';
  if (operation.op !== 'computeBlock') return spanName({ operation });
  const blocks = (name: BufferName): string => named(blocksIn(list, rank, at, name));
  return `q${blocks(operation.query)}·k${blocks(operation.keys)}`;
}
