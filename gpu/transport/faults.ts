/**
 * Faults of the simulated transport: what may go wrong with messages and ranks, as a plan.
 *
 * A plan is data, so that a run that went wrong can be shrunk and repeated. Messages that are late
 * or overtake one another across lanes must not change a bit; whatever else happens must end in the
 * right bits, where nobody needed what was lost, or in an error that names rank, step and lane.
 * @module
 */
import type { Label } from '../wire.ts';
import type { Message, Place } from './transport.ts';

/** A message by its channel and place in it. */
export type MessageName = Pick<Message, 'from' | 'to' | 'lane' | 'sequence'>;

/** What is changed of a message: a bit of its payload, a field, or its length. */
export type Corruption =
  | { readonly of: 'payload'; readonly bit: number }
  | { readonly of: 'length'; readonly by: number }
  | { readonly of: 'label'; readonly field: LabelField; readonly by: number }
  | { readonly of: 'header'; readonly field: HeaderField; readonly by: number };

export const HEADER_FIELDS = [
  ...(['from', 'to', 'lane', 'pass', 'step', 'sequence', 'stamp', 'checksum'] as const),
] as const;
export type HeaderField = (typeof HEADER_FIELDS)[number];
export const LABEL_FIELDS = ['kind', 'direction', 'blocks', 'heads', 'merged'] as const;
export type LabelField = (typeof LABEL_FIELDS)[number];

export type Fault =
  /** It stays on the way for so many turns of ranks. */
  | { readonly kind: 'delay'; readonly message: MessageName; readonly turns: number }
  /** It stays on the way until one on another lane between the same ranks has overtaken it. */
  | { readonly kind: 'reorder'; readonly message: MessageName }
  /** It arrives once more, so many turns later. */
  | { readonly kind: 'duplicate'; readonly message: MessageName; readonly turns: number }
  /** It is lost, and the sender takes the channel for empty. */
  | { readonly kind: 'drop'; readonly message: MessageName }
  /** That it was taken is lost. */
  | { readonly kind: 'unacknowledged'; readonly message: MessageName }
  | { readonly kind: 'corrupt'; readonly message: MessageName; readonly what: Corruption }
  /** The rank fails, or says nothing any more, when it comes to a step. */
  | { readonly kind: 'die' | 'stall'; readonly rank: number; readonly place: Place };

/** What arrives of a message, after how many turns; Infinity: once it has been overtaken. */
export interface Arrival {
  readonly message: Message;
  readonly after: number;
}

/** Faults as the network meets them. */
export interface Faults {
  readonly carry: (message: Message) => readonly Arrival[];
  readonly acknowledge: (message: Message) => boolean;
  readonly turn: (rank: number, place: Place) => 'go' | 'die' | 'stall';
}

/** Nothing goes wrong. */
export const NO_FAULTS: Faults = {
  carry: (message) => [{ message, after: 0 }],
  acknowledge: () => true,
  turn: () => 'go',
};

const isOf = (a: MessageName, b: MessageName): boolean =>
  a.from === b.from && a.to === b.to && a.lane === b.lane && a.sequence === b.sequence;

const other = <T>(values: readonly T[], value: T, by: number): T => {
  const at = values.indexOf(value);
  return values[(at + 1 + (by % (values.length - 1))) % values.length] ?? value;
};

const OTHER_KINDS = ['query', 'result', 'keys', 'gradients'] as const;

function corruptLabel(label: Label, field: LabelField, by: number): Label {
  switch (field) {
    case 'kind':
      return { ...label, kind: other(OTHER_KINDS, label.kind, by) };
    case 'direction':
      return { ...label, direction: label.direction === 'forward' ? 'backward' : 'forward' };
    case 'blocks':
      return { ...label, blocks: [...label.blocks.slice(1), (label.blocks[0] ?? 0) + by] };
    case 'heads':
      return { ...label, heads: { ...label.heads, to: label.heads.to + by } };
    case 'merged':
      return { ...label, merged: [...label.merged, { block: by, from: 0, to: 1 }] };
  }
}

/** A message changed; itself where there is nothing to change. `by` is 1 or more. */
export function corrupted(message: Message, what: Corruption): Message {
  const { payload, label } = message;
  if (what.of === 'label') {
    return { ...message, label: corruptLabel(label, what.field, what.by) };
  }
  if (what.of === 'header') {
    const { field, by } = what;
    if (field === 'lane') return { ...message, lane: other(OTHER_KINDS, message.lane, by) };
    return { ...message, [field]: message[field] + by };
  }
  if (what.of === 'length') {
    const longer = payload.constructor as new (length: number) => typeof payload;
    const changed = new longer(payload.length + what.by);
    changed.set(payload);
    return { ...message, payload: changed };
  }
  if (payload.length === 0) return message;
  const changed = payload.slice();
  const bytes = new Uint8Array(changed.buffer);
  const at = Math.floor(what.bit / 8) % bytes.length;
  bytes[at] = (bytes[at] ?? 0) ^ (1 << (what.bit % 8));
  return { ...message, payload: changed };
}

/** What really happened of a plan. */
export interface Happened {
  readonly faults: Set<Fault>;
  /** Messages that were changed, and those of them that a rank has taken for good. */
  readonly corrupted: Set<Message>;
  readonly accepted: Set<Message>;
}

function arrivals(message: Message, fault: Fault | undefined, happened: Happened): Arrival[] {
  const now = { message, after: 0 };
  switch (fault?.kind) {
    case 'delay':
      return [{ message, after: fault.turns }];
    case 'reorder':
      return [{ message, after: Number.POSITIVE_INFINITY }];
    case 'duplicate':
      return [now, { message, after: fault.turns }];
    case 'drop':
      return [];
    case 'corrupt': {
      const changed = corrupted(message, fault.what);
      if (changed !== message) happened.corrupted.add(changed);
      return [{ message: changed, after: 0 }];
    }
    default:
      return [now];
  }
}

/** A plan as faults. A message has the first fault of the plan that is about it. */
export function faultsOf(plan: readonly Fault[]): { faults: Faults; happened: Happened } {
  const happened: Happened = { faults: new Set(), corrupted: new Set(), accepted: new Set() };
  const about = (message: Message, acknowledging: boolean): Fault | undefined => {
    const fault = plan.find(
      (one) =>
        'message' in one &&
        isOf(one.message, message) &&
        (one.kind === 'unacknowledged') === acknowledging,
    );
    if (fault !== undefined) happened.faults.add(fault);
    return fault;
  };
  const faults: Faults = {
    carry: (message) => arrivals(message, about(message, false), happened),
    acknowledge: (message) => {
      if (happened.corrupted.has(message)) happened.accepted.add(message);
      return about(message, true) === undefined;
    },
    turn: (rank, { pass, step }) => {
      const fault = plan.find(
        (one) =>
          'rank' in one && one.rank === rank && one.place.pass === pass && one.place.step === step,
      );
      if (fault === undefined) return 'go';
      happened.faults.add(fault);
      return fault.kind === 'die' ? 'die' : 'stall';
    },
  };
  return { faults, happened };
}
