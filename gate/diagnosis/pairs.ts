/**
 * Two faults at once: one that explains some of what is wrong, with any other that acts where it does not.
 * @module
 */
import type { Fault } from '../../properties/zoo/fault.ts';
import { agrees, type Tally } from './agreement.ts';
import { type Cut, cutTo, wrongOutputs } from './cuts.ts';
import { type Hypothesis, together } from './hypotheses.ts';
import type { Evidence, KeptAnswer } from './kept-answers.ts';
import {
  type Ask,
  type Budget,
  contradictsNothing,
  explainsAll,
  type Standing,
  shareExplained,
} from './trials.ts';

/** How many faults are paired with all others. */
const PAIRED = 4;

/** A fault, as a part of a pair. */
const faultOf = ({ faults }: Hypothesis): Fault | undefined => faults[0];

/** Faults that do something to a case: the more of what is wrong in it they give, the earlier. */
function acting(
  all: readonly Hypothesis[],
  stuck: Cut,
  [ask, budget]: readonly [Ask, Budget],
): Hypothesis[] {
  const found = all.flatMap((one) => {
    const tally = ask(one, stuck, budget);
    if (tally === null) return [];
    const share = shareExplained(tally);
    const acts = share > 0 || [...tally.values()].some(({ refused }) => refused);
    return acts || !contradictsNothing(tally) ? [{ one, share }] : [];
  });
  return found.sort((a, b) => b.share - a.share).map(({ one }) => one);
}

/** Operations that all faults may cost on the case of a pair. */
const EACH = 6e5;

/** The part of a case that a fault does not explain: its first wrong output that is not as the fault gives it. */
function unexplained(leader: Standing, at: number, wrong: readonly KeptAnswer[], most: number) {
  const [answer, tally] = [wrong[at], leader.tallies[at]];
  const name = answer && wrongOutputs(answer).find((one) => !isLike(tally?.get(one)));
  return answer && name ? cutTo(answer, name, most) : undefined;
}

const isLike = (tally: Tally | undefined): boolean => tally !== undefined && agrees(tally);

/** Pairs that explain a case that their first fault alone does not. */
export function pairsFor(
  { wrong }: Evidence,
  { leaders, all }: { readonly leaders: readonly Standing[]; readonly all: readonly Hypothesis[] },
  [ask, budget]: readonly [Ask, Budget],
): Hypothesis[] {
  return leaders.slice(0, PAIRED).flatMap((leader) => {
    const { spread } = leader.one;
    const same = all.filter((one) => one.spread === spread);
    const at = leader.tallies.findIndex((tally) => !explainsAll(tally));
    const stuck = unexplained(leader, at, wrong, EACH / same.length);
    const first = faultOf(leader.one);
    if (stuck === undefined || first === undefined) return [];
    return acting(same, stuck, [ask, budget]).flatMap((other) => {
      const second = faultOf(other);
      const pair = second && second !== first ? together(first, second, spread) : null;
      const tally = pair === null ? null : ask(pair, stuck, budget);
      return pair !== null && tally !== null && explainsAll(tally) ? [pair] : [];
    });
  });
}
