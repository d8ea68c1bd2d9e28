/**
 * The options of every command that reports: files that the report is written to, and annotations.
 * @module
 */
import type { Command } from 'commander';
import type { ReportFiles } from '../live-report.ts';
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
