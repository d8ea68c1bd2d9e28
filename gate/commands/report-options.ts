/**
 * The options of every command that reports: files that the report is written to, and annotations; and
 * the commands that are about reports alone.
 * @module
 */
import type { Command } from 'commander';
import type { ReportFiles } from '../live-report.ts';
import type { CompareOptions } from './compare.ts';
import { pathText } from './options.ts';

export interface ReportOptions extends ReportFiles {
  /** Annotations on standard output, as GitHub Actions reads them. */
  github?: boolean;
}

/** Their names, for what goes with none of them. */
export const REPORTS = ['report', 'junit', 'html', 'github'];

export const reporting = (command: Command): Command =>
  command
    .option('--report <file.json>', 'write the report as JSON', pathText)
    .option('--junit <file.xml>', 'write the report as JUnit XML', pathText)
    .option('--html <file.html>', 'write the report as one page, with pictures', pathText)
    .option('--github', 'print annotations as GitHub Actions shows them');

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
