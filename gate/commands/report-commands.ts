/**
 * The commands that are about reports alone, in the table of commands.
 * @module
 */
import type { Command } from 'commander';
import type { CompareOptions } from './compare.ts';
import { type ReportOptions, reporting } from './report-options.ts';

const COMPARE_EXAMPLES = `
Examples:
  $ xattn compare before.json after.json
  $ xattn compare before.json after.json --json

Worse is a case that fails and did not, that fails worse (improbable, impossible, broken), or that, as
a whole or an output of it, was judged and is not any more. Reports at different profiles are not compared.

Exit status: 0 nothing is worse; 1 something is; 2 the command or its input is wrong.`;

const MERGE_EXAMPLES = `
Examples:
  $ xattn merge-reports shard-*.json --report all.json --html all.html --junit all.xml
  $ xattn merge-reports report.json --html report.html     a report as another kind of file

The parts must be of one candidate, profile and version, each case in one of them. A shard that is
missing, or a part that does not speak of all its cases, makes the whole incomplete.

Exit status as of gate; 2 where the whole is incomplete and nothing fails.`;

type Finish = (status: number) => void;

export function addCompare(program: Command, finish: Finish): void {
  program
    .command('compare <before.json> <after.json>')
    .summary('what became better or worse between two reports')
    .description('Hold two JSON reports against each other, case by case.')
    .option('--json', 'one JSON object on standard output')
    .addHelpText('after', COMPARE_EXAMPLES)
    .action(async (before: string, after: string, options: CompareOptions) => {
      finish((await import('./compare.ts')).compareCommand(before, after, options));
    });
}

export function addMergeReports(program: Command, finish: Finish): void {
  reporting(program.command('merge-reports <files...>'))
    .summary('one report of the reports of shards')
    .description('Make one report of the JSON reports of the parts of a run.')
    .addHelpText('after', MERGE_EXAMPLES)
    .action(async (files: string[], options: ReportOptions) => {
      finish((await import('./compare.ts')).mergeCommand(files, options));
    });
}
