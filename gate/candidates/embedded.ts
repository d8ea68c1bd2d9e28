/**
 * The embedded candidate: this project's own LV-XAttn, on GPU.js, its ranks on worker threads; or
 * another schedule of those that it can run.
 *
 * It is asked like any other: it reads the case folder and writes its outputs there. Which GPU.js
 * backend runs is found out by running, and a run on another backend than the first is an error,
 * not a silent change.
 * @module
 */

import { type Dealt, dealtFor, howDealt } from '../../gpu/dealt.ts';
import type { RankEvent } from '../../gpu/interpreter.ts';
import { run } from '../../gpu/run.ts';
import type { PassOptions, RunOptions } from '../../gpu/run-options.ts';
import type { ScheduleName } from '../../gpu/schedules/index.ts';
import { PROFILES } from '../../reference/bounds/lemmas/profile.ts';
import { type AttentionCase, DTYPES } from '../../reference/case/case.ts';
import { FEATURE_WORDS } from '../../reference/case/features.ts';
import { validateCase } from '../../reference/case/validate.ts';
import { readCase, writeOutputs } from '../../reference/files/case-folder.ts';
import { tensorOf } from '../../reference/numbers/tensor.ts';
import type { Answer, Candidate } from '../candidate.ts';
import { runSvg } from '../commands/run-svg.ts';
import { passesInWords } from '../pass-choice.ts';

export interface EmbeddedOptions {
  /** LV-XAttn when absent. */
  schedule?: ScheduleName;
  /** How the schedule is done. */
  passes?: PassOptions;
  transport: RunOptions['transport'];
  device: RunOptions['device'];
  timeoutMs: number;
  /** How long its first run may take; default: as long as an answer. */
  startTimeoutMs?: number;
  /** Whether each run is timed, so that it can be drawn. */
  timing?: boolean;
}

/** One query, one key: enough to see which backend runs. */
function smallestCase(): AttentionCase {
  const one = () => tensorOf<number>(new Float64Array([1]), [1, 1, 1, 1]);
  const parameters = {
    schema: 1,
    id: 'smallest',
    dtype: 'f32',
    batch: 1,
    heads: 1,
    kv_heads: 1,
    seq_q: 1,
    seq_kv: 1,
    head_dim: 1,
    head_dim_v: 1,
    scale: 1,
    softcap: 0,
    causal: 'none',
    window: null,
    media: null,
    dropout_rate: 0,
    wants: ['out', 'lse'],
    partition: { ranks: 1, q: [1], kv: [1] },
  };
  return validateCase(parameters, { q: one(), k: one(), v: one() });
}

/** `run`, but at most `timeoutMs`; a failure is a sentence. */
async function within<T>(run: Promise<T>, timeoutMs: number): Promise<T | string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    const sentence = `it did not answer within ${timeoutMs / 1000} s`;
    timer = setTimeout(() => resolve(sentence), timeoutMs);
  });
  try {
    return await Promise.race([run, late]);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    clearTimeout(timer);
  }
}

export function embeddedCandidate(options: EmbeddedOptions): Candidate {
  const { transport, device, timeoutMs, startTimeoutMs = timeoutMs } = options;
  const { schedule = 'lv-xattn', passes = {} } = options;
  const outputDtype = device === 'reference' ? 'F64' : 'F32';
  const how = {
    ...passes,
    schedule,
    transport,
    device,
    timeoutMs,
    timing: options.timing === true,
  };
  let backend = '';
  let dealt: Dealt | null = null;
  let log: readonly RankEvent[] = [];

  const asked = async (folder: string): Promise<Answer> => {
    const given = readCase(folder);
    const question = dealtFor(schedule, given);
    dealt = howDealt(schedule, given, question);
    const ran = await run(question, how);
    if (ran.backend !== backend) {
      return { status: 'broken', reason: `it ran on ${ran.backend}, expected ${backend}` };
    }
    writeOutputs(folder, ran.outputs, outputDtype);
    log = options.timing ? ran.log : [];
    return { status: 'ok' };
  };

  return {
    async start() {
      const ran = await within(run(smallestCase(), how), startTimeoutMs);
      if (typeof ran === 'string') return { ok: false, reason: ran };
      backend = ran.backend;
      const known = device === 'auto' || backend === device;
      if (!known) return { ok: false, reason: `it ran on ${backend}, expected ${device}` };
      const supports = new Set<string>([...FEATURE_WORDS, ...DTYPES]);
      if (device !== 'reference') supports.delete('f64');
      const profile = PROFILES[device === 'reference' ? 'f64' : 'f32'];
      const machine = device === 'reference' ? '' : ' on GPU.js';
      const what = schedule === 'lv-xattn' ? 'LV-XAttn' : schedule;
      const name = `${what}${passesInWords(passes)}${machine} (${transport}, ${backend})`;
      return { ok: true, hello: { name, profile, supports } };
    },
    dealt: () => dealt,
    timeline: (title) =>
      dealt === null || log.length === 0 ? null : runSvg(log, { title, ranks: dealt.ran }),
    async answer(folder, limitMs = timeoutMs) {
      [dealt, log] = [null, []];
      const answer = await within(asked(folder), Math.min(limitMs, timeoutMs));
      return typeof answer === 'string' ? { status: 'broken', reason: answer } : answer;
    },
    log: () => [],
    close: async () => {},
    kill: () => {},
  };
}
