/**
 * What every rank sends in a pass, over any layout: closed sums over its blocks, uneven and empty ones
 * among them. A real run and the clock send as much, to the byte (bytes.property.test.ts).
 * @module
 */
import type { Direction, Kind } from '../schedule.ts';
import { uspGroup } from '../schedules/groups.ts';
import type { ScheduleName } from '../schedules/index.ts';
import type { ElementSizes, Extents } from '../wire.ts';
import { type Messages, messagesOf, type Stage, type Stages, stagesOf } from './stages.ts';
import type { Options } from './workload.ts';

export interface LayoutOptions extends Pick<Options, 'backwardSends' | 'expandedHeads'> {
  /** Whether the LSE has cotangents, which travel beside O; D has them in it. */
  readonly cotangents?: boolean;
  /** Ranks that deal heads out under USP; as many as in a run that is not told when absent. */
  readonly group?: number;
}

/** A rank among the others. */
interface Place {
  readonly rank: number;
  readonly ranks: number;
  readonly group: number;
  readonly messages: Messages;
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, n) => from + n);
const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);

/** Round a ring: each group's blocks but the next one's; what follows, of all groups. */
function ringBytes({ rank, ranks, group, messages }: Place, stage: Stage): number {
  if (stage.does !== 'ring' || ranks === group) return 0;
  const heads = (what: Kind) => messages.of(what, rank % group, group);
  const everybody = range(0, ranks);
  const place = (Math.floor(rank / group) + 1) % (ranks / group);
  const next = range(place * group, (place + 1) * group);
  const total = (what: Kind) => messages.bytes(what, everybody, heads(what));
  const { ahead, behind, straight } = stage;
  return (
    total(ahead) -
    messages.bytes(ahead, next, heads(ahead)) +
    (behind === null ? 0 : total(behind)) +
    (straight === null ? 0 : total(straight) - messages.bytes(straight, [rank], heads(straight)))
  );
}

function stageBytes(place: Place, stage: Stage, dealt: boolean): number {
  const { rank, ranks, group, messages } = place;
  const first = dealt ? rank - (rank % group) : 0;
  const members = range(first, dealt ? first + group : ranks);
  const others = members.filter((member) => member !== rank);
  switch (stage.does) {
    case 'compute':
      return 0;
    case 'ring':
      return ringBytes(place, stage);
    case 'gather': {
      const { what } = stage;
      if (ranks === 1) return 0;
      const passed = range(0, ranks).filter((block) => block !== (rank + 1) % ranks);
      return messages.bytes(what, passed, messages.all(what));
    }
    case 'exchange': {
      const { what } = stage;
      const heads = (member: number) => messages.of(what, member % group, group);
      return sum(others.map((member) => messages.bytes(what, [rank], heads(member))));
    }
    case 'scatter': {
      const { what, padded } = stage;
      const heads = padded ? messages.all(what) : messages.of(what, rank % group, group);
      return messages.bytes(what, others, heads);
    }
  }
}

/** Bytes that each rank sends. The schedule must be one that deals out these heads to these ranks. */
export function layoutBytes(
  name: ScheduleName,
  direction: Direction,
  e: Extents,
  sizes: ElementSizes,
  options: LayoutOptions,
): number[] {
  const { ranks } = e.partition;
  const { group: usp = uspGroup({ ranks, heads: e.heads }) } = options;
  const { group, dealt, list }: Stages = stagesOf(name, direction, { ranks, group: usp });
  const messages = messagesOf(name, direction, e, sizes, options);
  return range(0, ranks).map((rank) =>
    sum(list.map((stage) => stageBytes({ rank, ranks, group, messages }, stage, dealt))),
  );
}
