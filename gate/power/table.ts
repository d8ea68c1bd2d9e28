/**
 * The power table: what a run of `npm run power` measured, as Markdown.
 * @module
 */
import { profileOf } from '../../properties/zoo/fault.ts';
import { sourceOf } from '../../properties/zoo/zoo.ts';
import { COMMON, type FaultPower, type ProfilePeace, type Thoroughness } from './measure.ts';
import { RULES, type Rule } from './rules.ts';

const size = (deviation: number): string =>
  Number.isFinite(deviation) ? String(Number(deviation.toPrecision(2))) : '∞';

const mark = (counts: Readonly<Record<Rule, number>>, rule: Rule): string =>
  counts[rule] > 0 ? 'yes' : '**no**';

function row({ fault, killedBy, first, strongest, usual, all }: FaultPower): string {
  const killed =
    strongest === null
      ? '**not refused** | |'
      : `${killedBy}: ${first?.id ?? ''} | ${strongest.id} | ${size(strongest.deviation)}`;
  const rules = RULES.map((rule) => `${mark(usual, rule)} / ${mark(all, rule)}`).join(' | ');
  return `| [${fault.name}](${sourceOf(fault.name)}) | ${fault.wrong} | ${fault.seen} | ${profileOf(fault)} | ${killed} | ${rules} |`;
}

function survivors(powers: readonly FaultPower[]): string {
  const left = powers.filter(({ killedBy }) => killedBy === 0);
  if (left.length === 0) return 'None.';
  return left
    .map(({ fault }) => `- \`${fault.name}\`: ${fault.unseen ?? '**no reason known**'}`)
    .join('\n');
}

const seenBy = (powers: readonly FaultPower[], kind: 'usual' | 'all', rule: Rule): number =>
  powers.filter((power) => power[kind][rule] > 0).length;

function peaceRow({ profile, cases, refused, all, largest }: ProfilePeace): string {
  const rules = RULES.map((rule) => all[rule]).join(' | ');
  return `| ${profile} | ${cases} | ${refused} | ${largest.toPrecision(2)} | ${rules} |`;
}

/** Which cases a fault was asked. */
const HOW: Readonly<Record<Thoroughness, string>> = {
  all: 'Every fault was asked every case.',
  brief: `Every fault was asked
all cases under ${COMMON.map((group) => `\`${group}/\``).join(' and ')}, and one that those do
not refuse the others in their order, until its first refusal; what a rule would say of later cases was
not asked.`,
  quick: 'A fault was asked until its first refusal.',
};

/** The whole document. */
export function powerTable(
  powers: readonly FaultPower[],
  peaces: readonly ProfilePeace[],
  suiteName: string,
  thoroughness: Thoroughness,
): string {
  const sorted = powers.toSorted((a, b) => a.fault.name.localeCompare(b.fault.name));
  const killed = powers.filter(({ killedBy }) => killedBy > 0);
  const weak = killed.filter(({ strongest }) => (strongest?.deviation ?? 0) < 10);
  const rules = RULES.map(
    (rule) => `| ${rule} | ${seenBy(powers, 'usual', rule)} | ${seenBy(powers, 'all', rule)} |`,
  );
  return `# The bug zoo

One host implementation ([host.ts](host.ts)), every step of which a fault may replace. A fault is a
small file ([faults/](faults/)), or a row where several differ by one word ([tables/](tables/)). Each is judged by the suite \`${suiteName}\` at the profile
it declares. This page is written by \`npm run power\`; all its numbers are of one run. ${HOW[thoroughness]}

**${killed.length} of ${powers.length} faults are refused.** ${weak.length} of them by less than 10 times
the bound on the strongest of the cases they were asked.

Not refused:

${survivors(sorted)}

## Others' rules on the same cases

How many of the ${powers.length} faults each rule refuses on a case that the fault was asked: on usual data (random
normal values, no probe), and on any, probes included. None of the rules compares the LSE.

| rule | usual data | all cases asked |
| --- | --- | --- |
${rules.join('\n')}
| this gate | | ${killed.length} |

The honest host, nothing wrong with it: cases on which it is refused, and the largest share of the
bound it fills.

| profile | cases | refused by this gate | share of the bound | ${RULES.join(' | ')} |
| --- | --- | --- | --- | --- | --- | --- |
${peaces.map(peaceRow).join('\n')}

## Fault by fault

"killed by": how many cases refuse it, and the first of them; then the strongest, with its deviation
over the bound (∞: no bound allows it), all of the cases asked. Under each rule: seen on usual data / on
all cases asked.

| fault | what goes wrong | seen in | profile | killed by | strongest | deviation | ${RULES.join(' | ')} |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
${sorted.map(row).join('\n')}
`;
}
