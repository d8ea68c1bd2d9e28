/**
 * `xattn judge`: the outputs that lie in a case folder are judged, all of them or a sample; nobody is
 * asked to compute anything.
 * @module
 */
import { featureWords } from '../../reference/features.ts';
import type { Profile } from '../../reference/profile.ts';
import { liveReport } from '../live-report.ts';
import type { Report } from '../report.ts';
import { type CaseResult, notReached, verdictIn } from '../run-suite.ts';
import { conclude, reportOf } from './judging.ts';
import type { SampleOptions } from './options.ts';
import { openToJudge } from './sample.ts';

export interface JudgeOptions extends SampleOptions {
  profile: Profile;
  report?: string;
  junit?: string;
}

export function judgeCommand(folder: string, options: JudgeOptions): number {
  const { profile } = options;
  const begin = performance.now();
  const { question, sample, close } = openToJudge(folder, options);
  const { id } = question.parameters;
  const about = (result: CaseResult): Report =>
    reportOf([result], null, {
      ...{ candidate: 'outputs', profile, asked: `case folder ${folder}` },
      seconds: result.seconds,
    });
  try {
    const live = liveReport(options, () => ({
      ...about(notReached({ id, shows: null, build: () => question })),
      incomplete: 'the judging has not come to its end',
    }));
    const verdict = verdictIn(folder, question, profile, sample);
    const seconds = (performance.now() - begin) / 1000;
    const report = about({
      ...{ id, shows: null, words: featureWords(question) },
      ...{ asked: true, verdict, kept: null, log: [], seconds },
    });
    return conclude(report, { live });
  } finally {
    close();
  }
}
