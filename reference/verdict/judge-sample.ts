/**
 * The judge of a sample: some rows and keys of a case too large to compute whole, and what share of
 * it that is. A pass of a sample says nothing of the rest.
 * @module
 */

import type { ProfileLike } from '../bounds/lemmas/profile-options.ts';
import type { AttentionCase } from '../case/case.ts';
import { outputShape } from '../case/case-shapes.ts';
import type { GivenOutputs } from '../case/given.ts';
import { type Sample, sampledOutput } from '../case/sampling.ts';
import { elementCount } from '../numbers/tensor.ts';
import { judgeCounted, type SampleShare, type Verdict } from './judge.ts';
import { judgedOutputs, sampledExpectation } from './sampled-expectation.ts';

/** How much of a case a sample of it is. */
export function shareOf(attentionCase: AttentionCase, sample: Sample): SampleShare {
  const { seq_q, seq_kv, wants } = attentionCase.parameters;
  const names = judgedOutputs(attentionCase, sample);
  const count = (shapes: readonly (readonly number[])[]): number =>
    shapes.reduce((sum, shape) => sum + elementCount(shape), 0);
  return {
    rows: { judged: sample.rows?.length ?? seq_q, of: seq_q },
    keys: { judged: sample.keys?.length ?? seq_kv, of: seq_kv },
    elements: {
      judged: count(names.map((name) => sampledOutput(attentionCase, sample, name).shape)),
      of: count(wants.map((name) => outputShape(attentionCase, name))),
    },
    not_judged: wants.filter((name) => !names.includes(name)),
  };
}

/** A share in percent, and never 100 % of what is not all, nor 0 % of what is some. */
function percent({ judged, of }: SampleShare['elements']): string {
  const exact = (100 * judged) / of;
  const shown = exact.toPrecision(3);
  return Number(shown) >= 100 && judged < of ? '99.9' : String(Number(shown));
}

/** `sample: 64 of 1024 query rows, 0 of 1000000 keys, 0.0976 % of the elements; not judged: d_bias`. */
export function shareSentence(share: SampleShare): string {
  const { rows, keys, elements, not_judged } = share;
  const left = not_judged.length === 0 ? '' : `; not judged: ${not_judged.join(' ')}`;
  const part = elements.of === 0 ? '' : `, ${percent(elements)} % of the elements`;
  return `sample: ${rows.judged} of ${rows.of} query rows, ${keys.judged} of ${keys.of} keys${part}${left}`;
}

/**
 * Judge the sampled elements of somebody's outputs, `outputs` holding just those (given-outputs.ts).
 * Throws RangeError for a case that cannot be sampled, and for a sample without an element.
 */
export function judgeSample(
  attentionCase: AttentionCase,
  outputs: GivenOutputs,
  profile: ProfileLike,
  sample: Sample,
  { threads = 1 }: { readonly threads?: number } = {},
): Verdict {
  const share = shareOf(attentionCase, sample);
  if (share.elements.judged === 0) {
    throw new RangeError(`a sample expected an element to judge; ${shareSentence(share)}`);
  }
  const expected = sampledExpectation(attentionCase, profile, sample, threads);
  const { verdict, open } = judgeCounted(expected, outputs);
  const { judged, of } = share.elements;
  const bounded = { ...share, elements: { judged: judged - open, of } };
  return { ...verdict, reason: `${verdict.reason} (${shareSentence(bounded)})`, sample: bounded };
}
