/**
 * Labels for sizes alone: without contributions, and each distinct one a single object.
 *
 * How large a buffer or a message is does not depend on what was merged into it, and a list of
 * contributions grows with the ranks: with it a pass of n ranks would cost n³. Whoever only measures
 * (the simulation) walks a schedule by these rules; what is looked up by label is looked up by identity.
 * @module
 */
import {
  checkHeads,
  checkMergeable,
  emptyLike,
  expandedLabel,
  joined,
  type LabelRules,
  paddedLabel,
  placeOfBlocks,
  reducedLabel,
  withBlocks,
  withHeads,
} from './labels.ts';
import { type HeadRange, KINDS } from './schedule.ts';
import { blockOf } from './schedules/parts.ts';
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

/** Which single-block label: by what distinguishes those of one pass. */
function blockLabels({ heads, partition }: Extents) {
  /** By range of heads, then by kind, block and what goes along. */
  const ranges = new Map<number, { readonly heads: HeadRange; readonly labels: Label[] }>();
  const places = heads + 1;
  /** The label of `like` with this block and these heads. */
  return (like: Label, block: number, from: number, to: number, of: number): Label => {
    const range = (of === heads ? 0 : places * places) + from * places + to;
    let known = ranges.get(range);
    if (known === undefined) {
      known = { heads: { from, to, of }, labels: [] };
      ranges.set(range, known);
    }
    const sends = like.sends === undefined ? 0 : SENT.indexOf(like.sends);
    const key = (KINDS.indexOf(like.kind) * SENT.length + sends) * partition.ranks + block;
    let label = known.labels[key];
    if (label === undefined) {
      const { kind, direction, merged } = like;
      const labelled = { kind, direction, blocks: blockOf(block), heads: known.heads, merged };
      label = like.sends === undefined ? labelled : { ...labelled, sends: like.sends };
      known.labels[key] = label;
    }
    return label;
  };
}

/**
 * The rules for one pass. Labels of one block are the same object whenever they say the same; of
 * several blocks, whenever they were made of the same object in the same way.
 */
export function sizedLabels(e: Extents): LabelRules {
  const labelOf = blockLabels(e);
  const one = (label: Label): Label => {
    const [block] = label.blocks;
    if (block === undefined || label.blocks.length > 1) return label;
    const { from, to, of } = label.heads;
    return labelOf(label, block, from, to, of);
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
    withBlocks: (label, blocks) => {
      const [block] = blocks;
      if (block === undefined || blocks.length > 1) return withBlocks(label, blocks);
      placeOfBlocks(label, blocks);
      const { from, to, of } = label.heads;
      return labelOf(label, block, from, to, of);
    },
    withHeads: (extents, label, range) => {
      const [block] = label.blocks;
      if (block === undefined || label.blocks.length > 1) return withHeads(extents, label, range);
      checkHeads(label, range);
      return labelOf(label, block, range.from, range.to, range.of);
    },
    padded: once((label) => one(paddedLabel(label))),
    expanded: (extents, label) => one(expandedLabel(extents, label)),
    reduced: (extents, label) => one(reducedLabel(extents, label)),
  };
}
