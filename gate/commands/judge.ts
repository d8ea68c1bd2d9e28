/**
 * `xattn judge`: the outputs that lie in a case folder are judged, all of them or a sample; nobody is
 * asked to compute anything.
 * @module
 */
import { featureWords } from '../../reference/features.ts';
import type { Profile } from '../../reference/profile.ts';
import { verdictIn } from '../run-suite.ts';
import { checkWritable, conclude, reportOf, writeReports } from './judging.ts';
import type { SampleOptions } from './options.ts';
import { openToJudge } from './sample.ts';

export interface JudgeOptions extends SampleOptions {
  profile: Profile;
  report?: string;
  junit?: string;
}

export function judgeCommand(folder: string, options: JudgeOptions): number {
  const { profile } = options;
  checkWritable(options);
  const begin = performance.now();
  const { question, sample, close } = openToJudge(folder, options);
  try {
    const verdict = verdictIn(folder, question, profile, sample);
    const seconds = (performance.now() - begin) / 1000;
    const result = {
      ...{ id: question.parameters.id, shows: null, words: featureWords(question) },
      ...{ asked: true, verdict, kept: null, log: [] },
      seconds,
    };
    const heading = {
      candidate: 'outputs',
      profile,
      asked: `case folder ${folder}`,
      seconds,
    };
    const report = reportOf([result], null, heading);
    writeReports(report, options);
    return conclude(report, false);
  } finally {
    close();
  }
}
