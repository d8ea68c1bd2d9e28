/**
 * Options of schedules on the command line: those of every command that runs one.
 * @module
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { CAUSAL_ALIGNMENTS, type Causal } from '../../reference/case/case.ts';
import { positiveNumber } from './options.ts';

/** What of a run's pairs is masked. */
export interface MaskChoice {
  causal: Causal;
  window?: [number, number];
}

/** `LEFT,RIGHT`: so many keys on either side; -1 = all. */
function windowOf(text: string): [number, number] {
  const [, left, right] = /^(-1|\d{1,9}),(-1|\d{1,9})$/.exec(text) ?? [];
  if (left === undefined || right === undefined) {
    throw new InvalidArgumentError('Expected LEFT,RIGHT, keys on either side, -1 for all: 64,0.');
  }
  return [Number(left), Number(right)];
}

/** Options that change what a schedule does and not the answer; those of our own candidate too. */
export function ofPasses(command: Command, conflicts: readonly string[] = []): Command {
  const options = [
    new Option('--no-overlap', 'lv-xattn: send only between computations, as in an ablation'),
    new Option('--skip-empty', 'lv-xattn: leave out block pairs in which nobody sees anybody'),
    new Option('--expanded', 'ring-attention: keys travel once for every query head'),
  ];
  for (const option of options) command.addOption(option.conflicts([...conflicts]));
  return command;
}

/** The same, of a run of its own: what travels, in which groups, and what is masked. */
export function ofRuns(command: Command): Command {
  const sends = new Option('--sends <what>', 'what queries that travel take along backward');
  const group = new Option(
    '--group <n>',
    'usp: ranks of a group, a divisor of ranks and heads (default: at most √ranks)',
  );
  const causal = new Option('--causal <name>', 'queries see no later keys, aligned so');
  const window = new Option('--window <l,r>', 'and only so many keys on either side; -1 is all');
  return ofPasses(command.addOption(sends.choices(['D', 'O']).default('D')))
    .addOption(group.argParser(positiveNumber))
    .addOption(causal.choices(CAUSAL_ALIGNMENTS).default('none'))
    .addOption(window.argParser(windowOf));
}
