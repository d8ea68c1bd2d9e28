/**
 * The report of a hunt: its findings are the cases, and of all others that were judged it has the
 * number. Written while the hunt goes on, as other reports are.
 * @module
 */
import { featureWords } from '../../reference/case/features.ts';
import type { Started } from '../candidate.ts';
import { NOT_STARTED, nameOf, profileOf, written } from '../commands/judging.ts';
import { type CandidateOptions, replayOptions } from '../commands/options.ts';
import type { ReportOptions } from '../commands/report-options.ts';
import { replayCommand } from '../keep.ts';
import { type LiveReport, liveReport } from '../live-report.ts';
import { githubReport } from '../report/github.ts';
import { plusUnlisted, type Report, type ReportedCase, summaryOf } from '../report.ts';
import { NOT_REACHED } from '../run-suite.ts';
import type { Shard } from '../select.ts';
import { version } from '../version.ts';
import type { Finding, HuntCounts } from './hunt.ts';

export interface FuzzReportOptions extends CandidateOptions, ReportOptions {
  readonly seed: number;
  shard?: Shard;
}

type Counts = Pick<HuntCounts, 'judged' | 'failing' | 'skipped'>;

export class FuzzReport {
  started: Started = NOT_STARTED;
  readonly #options: FuzzReportOptions;
  readonly #cases: ReportedCase[] = [];
  readonly #begin = performance.now();
  readonly #live: LiveReport;
  #counts: Counts = { judged: 0, failing: 0, skipped: 0 };

  /** Throws where a file cannot be written. */
  constructor(options: FuzzReportOptions) {
    this.#options = options;
    const soFar = () => this.#report('the hunt has not come to its end');
    this.#live = liveReport(options, soFar, { hearsSignals: true });
  }

  /** `folder`: where it is kept, null where it could not be. */
  add(finding: Finding, folder: string | null): void {
    const { question, reply } = finding;
    const { id } = question.parameters;
    const name = folder === null ? id : folder.split('/').slice(-2).join('/');
    if (this.#cases.some((one) => one.id === name)) return;
    this.#cases.push({
      ...{ id: name, shows: null, words: featureWords(question), asked: true, log: [], seconds: 0 },
      ...{ verdict: reply.verdict, kept: folder },
      replay: folder === null ? null : replayCommand(folder, replayOptions(this.#options)),
    });
    this.#live.changed();
  }

  counted(counts: Counts): void {
    this.#counts = { ...counts };
    this.#live.changed();
  }

  /** All of it; whether it could be written. */
  finish(isInterrupted: boolean): boolean {
    const report = this.#report(isInterrupted ? NOT_REACHED : null);
    const isWritten = written(report, this.#live);
    if (this.#options.github) process.stdout.write(githubReport(report));
    return isWritten;
  }

  #report(incomplete: string | null): Report {
    const { judged, failing, skipped } = this.#counts;
    const { seed, shard } = this.#options;
    const unlisted = { pass: judged - failing, skip: skipped };
    const note = `random cases: ${failing} of ${judged} failed; of each kind of failure one is told`;
    return {
      version: version(),
      candidate: nameOf(this.started, this.#options),
      profile: profileOf(this.started, this.#options),
      ...{ asked: `random cases, seed ${seed}`, seed, unlisted },
      ...(shard === undefined ? {} : { shard }),
      ...{ cases: [...this.#cases], summary: plusUnlisted(summaryOf(this.#cases), unlisted) },
      ...(failing === 0 ? {} : { note }),
      ...(incomplete === null ? {} : { incomplete }),
      ...(this.started.ok ? {} : { silent: true }),
      seconds: (performance.now() - this.#begin) / 1000,
    };
  }
}
