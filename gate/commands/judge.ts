/**
 * `xattn judge`: the outputs that lie in case folders are judged, all of them or a sample; nobody is
 * asked to compute anything. With `--serve` the folders come as JSON lines.
 * @module
 */
import { availableParallelism } from 'node:os';
import type { Profile } from '../../reference/bounds/lemmas/profile.ts';
import { featureWords } from '../../reference/case/features.ts';
import { diagnosed } from '../diagnosis/diagnosed.ts';
import { type Observer, observer } from '../diagnosis/kept-answers.ts';
import { fileSentence } from '../file-errors.ts';
import { withFunctionals } from '../functionals.ts';
import { liveReport } from '../live-report.ts';
import { isFailing, type Report, type ReportedCase } from '../report.ts';
import { type CaseResult, type Compared, notReached, verdictIn } from '../run-suite.ts';
import { serve } from '../serve/server.ts';
import { conclude, reportOf } from './judging.ts';
import type { SampleOptions } from './options.ts';
import type { ReportOptions } from './report-options.ts';
import { judgeLine, openToJudge } from './sample.ts';

export interface JudgeOptions extends SampleOptions, ReportOptions {
  profile: Profile;
  functionals?: boolean;
  all?: true;
  serve?: boolean;
  workers?: number;
}

/** Threads of a server for which nothing is said: each holds the judge once, some 100 MB. */
const THREADS = 4;

/** The verdict on the outputs in one folder. */
function judgedFolder(folder: string, options: JudgeOptions, seen: Observer): ReportedCase {
  const begin = performance.now();
  const { question, sample, close } = openToJudge(folder, options);
  try {
    const known: { compared: Compared | null } = { compared: null };
    const bounded = verdictIn(folder, question, options.profile, sample, (compared) => {
      known.compared = compared;
    });
    const looked = options.functionals === true ? known.compared?.outputs : undefined;
    const verdict = looked ? withFunctionals(bounded, question, options.profile, looked) : bounded;
    const { id } = question.parameters;
    // A sample is no whole, and its inputs are closed when it is judged.
    if (sample === undefined) seen.observe({ id, question, verdict, ...known });
    const result: CaseResult = {
      ...{ id: question.parameters.id, shows: null, words: featureWords(question) },
      ...{ asked: true, verdict, kept: null, log: [] },
      seconds: (performance.now() - begin) / 1000,
    };
    if (!isFailing(result)) return { ...result, replay: null };
    return { ...result, kept: folder, replay: judgeLine(folder, options.profile.name, options) };
  } finally {
    close();
  }
}

/** Judge what lies in the folders, one after another; the exit status. */
async function judgeFolders(folders: readonly string[], options: JudgeOptions): Promise<number> {
  const { profile } = options;
  const results: ReportedCase[] = [];
  const seen = observer();
  const asked =
    folders.length === 1 ? `case folder ${folders[0]}` : `${folders.length} case folders`;
  const soFar = (incomplete?: string): Report => {
    const rest = folders.slice(results.length).map((id) => ({ id, shows: null }));
    const left = rest.map((one): ReportedCase => ({ ...notReached(one), replay: null }));
    return {
      ...reportOf([...results, ...left], null, {
        ...{ candidate: 'outputs', profile, asked },
        ...(incomplete === undefined ? {} : { incomplete }),
        seconds: results.reduce((sum, { seconds }) => sum + seconds, 0),
      }),
      cases: [...results, ...left],
    };
  };
  const live = liveReport(options, () => soFar('the judging has not come to its end'));
  const ending = { live, all: options.all, github: options.github };
  for (const folder of folders) {
    try {
      results.push(judgedFolder(folder, options, seen));
      live.changed();
    } catch (error) {
      if (results.length === 0) throw error;
      // What has been judged is not lost for what is no case.
      conclude(soFar(`${folder}: ${fileSentence(error)}`), ending);
      throw error;
    }
  }
  return conclude(await diagnosed(soFar(), seen), ending);
}

export async function judgeCommand(
  folders: readonly string[],
  options: JudgeOptions,
): Promise<number> {
  if (options.serve !== true) {
    if (options.workers !== undefined) {
      throw new RangeError('"--workers" expected "--serve" beside it, got none');
    }
    if (folders.length === 0) {
      throw new RangeError('"CASE_DIR" expected a case folder, or "--serve", got none');
    }
    return judgeFolders(folders, options);
  }
  if (folders.length > 0) {
    throw new RangeError(`"--serve" expected folders as lines, got ${folders[0]} as an argument`);
  }
  const threads = options.workers ?? Math.min(availableParallelism(), THREADS);
  await serve({ input: process.stdin, output: process.stdout }, threads);
  return 0;
}
