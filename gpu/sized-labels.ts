/**
 * Labels for sizes alone: without contributions, and each distinct one a single object.
 *
 * How large a buffer or a message is does not depend on what was merged into it, and a list of
 * contributions grows with the ranks: with it a pass of n ranks would cost n³. Whoever only measures
 * (the simulation) walks a schedule by these rules; what is looked up by label is looked up by identity.
 * @module
 */
import {
  checkMergeable,
  emptyLike,
  expandedLabel,
  joined,
  type LabelRules,
  paddedLabel,
  reducedLabel,
  withBlocks,
  withHeads,
} from './labels.ts';
import { KINDS } from './schedule.ts';
import { type Extents, type Label, ownLabel } from './wire.ts';

const SENT: readonly Label['sends'][] = [undefined, 'O', 'O, dLSE'];

/** A function that remembers what it made of each label. */
function once(make: (label: Label) => Label): (label: Label) => Label {
  const made = new Map<Label, Label>();
  return (label) => {
    let known = made.get(label);
    if (known === undefined) {
      known = make(label);
      made.set(label, known);
    }
    return known;
  };
}

/**
 * The rules for one pass. Labels of one block are the same object whenever they say the same; of
 * several blocks, whenever they were made of the same object in the same way.
 */
export function sizedLabels({ heads, partition }: Extents): LabelRules {
  const known = new Map<number, Label>();
  const places = heads + 1;
  const one = (label: Label): Label => {
    const [block, ...others] = label.blocks;
    if (block === undefined || others.length > 0) return label;
    const { from, to, of } = label.heads;
    const kind = KINDS.indexOf(label.kind) * partition.ranks + block;
    const sends = SENT.indexOf(label.sends);
    const key = (((kind * places + from) * places + to) * places + of) * SENT.length + sends;
    const before = known.get(key);
    if (before !== undefined) return before;
    known.set(key, label);
    return label;
  };
  const empty = once((label) => one(emptyLike(label)));
  return {
    own: (kind, direction, place) => one(ownLabel(kind, direction, place)),
    emptyLike: empty,
    resultOf: (query) => empty(query),
    gradientsOf: (_, keys) => empty(keys),
    merged: (whole, piece) => {
      checkMergeable(whole, piece);
      return whole;
    },
    joined: (labels) => one(joined(labels)),
    withBlocks: (label, blocks) => one(withBlocks(label, blocks)),
    withHeads: (e, label, range) => one(withHeads(e, label, range)),
    padded: (label) => one(paddedLabel(label)),
    expanded: (e, label) => one(expandedLabel(e, label)),
    reduced: (e, label) => one(reducedLabel(e, label)),
  };
}
