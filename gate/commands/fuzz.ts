/**
 * `xattn fuzz`: random cases are put to a candidate until something fails; each failure is shrunk,
 * saved as a case folder, and printed with the command that repeats it.
 * @module
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Profile } from '../../reference/bounds/lemmas/profile.ts';
import { type AttentionCase, DTYPES } from '../../reference/case/case.ts';
import { OP_WORDS } from '../../reference/case/features.ts';
import type { Candidate, Started } from '../candidate.ts';
import { fileSentence } from '../file-errors.ts';
import { FINDINGS, INTERESTING, type Origin, readCorpus, writeOrigin } from '../fuzz/corpus.ts';
import { type Finding, type HuntCounts, hunt, stillFailing } from '../fuzz/hunt.ts';
import { type Interviewer, interviewer } from '../fuzz/interviewer.ts';
import { tellingWords } from '../fuzz/kind.ts';
import { FuzzReport } from '../fuzz/report.ts';
import { statusLine } from '../fuzz/status-line.ts';
import { statusOf } from '../interruption.ts';
import { keepBefore, keepCase, keepNewCase, replayCommand, writeAnswers } from '../keep.ts';
import { hushed } from '../report/github.ts';
import { withAnswersAway } from '../run-folder.ts';
import { withTemporaryFolder } from '../run-suite.ts';
import type { Shard } from '../select.ts';
import { checkFolder, nameOf, profileOf, withCandidate } from './judging.ts';
import { type CandidateOptions, candidateOf, drawnSeed, replayOptions } from './options.ts';
import type { ReportOptions } from './report-options.ts';

export interface FuzzOptions extends CandidateOptions, ReportOptions {
  runs?: number;
  maxSeconds?: number;
  /** Undefined = drawn. */
  seed?: number;
  out: string;
  shard?: Shard;
}

const RUNS_DEFAULT = 1000;
const INTERESTING_MAX = 50;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** A name for a case: what it is of, and eight digits that tell it from others. */
function named(question: AttentionCase, part: string, what: string): AttentionCase {
  const { id: _, ...parameters } = question.parameters;
  const digest = createHash('sha256').update(JSON.stringify(parameters));
  for (const tensor of Object.values(question.inputs)) {
    digest.update(new Uint8Array(Float64Array.from(tensor.data as ArrayLike<number>).buffer));
  }
  const slug = what
    .replace(/[^A-Za-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 60);
  const id = `${part}/${slug}-${digest.digest('hex').slice(0, 8)}`;
  return { ...question, parameters: { ...question.parameters, id } };
}

/** The options, and the seed that was given or drawn. */
type Seeded = FuzzOptions & { readonly seed: number };

interface Session {
  readonly options: Seeded;
  readonly asker: Interviewer;
  readonly line: ReturnType<typeof statusLine>;
  readonly findings: Finding[];
  readonly report: FuzzReport;
  /** Folders of cases that were kept, whose answers are written in the end. */
  readonly kept: Set<string>;
  interesting: number;
}

function describe(finding: Finding): string[] {
  const { question, kind, words, reply, flaky, memory, shrinks, shrinkSeconds, law } = finding;
  const { batch, heads, kv_heads, seq_q, seq_kv, partition } = question.parameters;
  const shape = `batch ${batch}, heads ${heads}/${kv_heads}, ${seq_q} queries, ${seq_kv} keys`;
  const again = flaky ? 'flaky: other bits or another verdict when asked again' : null;
  const asMet = [again, memory].filter((part) => part !== null).join('; ');
  const how =
    asMet !== ''
      ? `${asMet}; not shrunk`
      : `${shape}, ${partition.ranks} ranks, ${words.length === 0 ? 'no feature' : words.join(' ')}; ${shrinks} attempts to shrink in ${shrinkSeconds.toFixed(1)} s`;
  const by = law === null ? [] : [`    found by a law on a larger case: ${law}`];
  return [`${reply.verdict.verdict} ${kind}: ${reply.verdict.reason}`, `    ${how}`, ...by];
}

/** The finding's case, outputs and origin in folders of their own; none where the disk has no room. */
async function foldersOf(session: Session, finding: Finding): Promise<string[]> {
  const { options, asker } = session;
  const question = named(finding.question, FINDINGS, finding.kind);
  const { question: _, reply, before, ...about } = finding;
  const origin: Origin = { ...about, reason: reply.verdict.reason, after: before.length };
  const kept: string[] = [];
  let isTried = false;
  const keep = (folder: string | null): void => {
    isTried = true;
    try {
      const at = keepNewCase(question, folder, options.out);
      kept.push(at);
      session.kept.add(at);
      writeOrigin(at, origin);
      if (before.length > 0) keepBefore(at, before);
    } catch (error) {
      say(`    could not be kept whole: ${fileSentence(error)}`);
    }
  };
  await asker.askAfresh([...before, question], { use: keep });
  if (!isTried) keep(null);
  return kept;
}

/** Prints what was found, asks a new process once more, and keeps what it is asked and answered. */
async function keepFinding(session: Session, finding: Finding): Promise<void> {
  session.findings.push(finding);
  session.line.clear();
  for (const text of describe(finding)) say(text);
  const folders = await foldersOf(session, finding);
  session.report.add(finding, folders[0] ?? null);
  for (const folder of folders) {
    say(`    again: ${replayCommand(folder, replayOptions(session.options))}`);
    if (finding.seed !== null) say(`    drawn from seed ${finding.seed}, path ${finding.path}`);
  }
}

function keepInteresting(session: Session, drawn: AttentionCase, what: string): void {
  if (session.interesting++ >= INTERESTING_MAX) return;
  const question = named(drawn, INTERESTING, what);
  if (existsSync(path.join(session.options.out, question.parameters.id))) return;
  session.kept.add(keepCase(question, null, session.options.out));
}

/** What earlier runs left is asked first; those that still fail. */
async function askCorpus(session: Session, stop: AbortSignal): Promise<void> {
  const { cases, ignored } = readCorpus(session.options.out);
  if (ignored > 0)
    say(`${ignored} entries of ${session.options.out} are no case and were left alone`);
  let [repaired, asked] = [0, 0];
  for (const { folder, ...kept } of cases) {
    const question = session.asker.deal(kept.question);
    const before = kept.before.map(session.asker.deal);
    const reply = await (before.length === 0
      ? session.asker.ask(question)
      : session.asker.askAfresh([...before, question]));
    if (reply === null || stop.aborted) break;
    asked++;
    const { kind } = reply;
    if (kind === null) {
      if (folder.includes(`${FINDINGS}/`) && reply.verdict.verdict === 'pass') repaired++;
      continue;
    }
    const words = tellingWords(question);
    const found = stillFailing({ kind, words, question, reply, before });
    session.findings.push(found);
    session.report.add(found, folder);
    say(`still ${reply.verdict.verdict} ${kind}: ${reply.verdict.reason}`);
    say(`    again: ${replayCommand(folder, replayOptions(session.options))}`);
  }
  if (cases.length > 0) {
    const share = asked < cases.length ? `${asked} of ${cases.length}` : `${asked}`;
    say(`${share} cases of earlier runs asked again, ${repaired} findings no longer fail`);
  }
}

function conclude(session: Session, counts: HuntCounts, seconds: number, name: string): number {
  const { findings, options } = session;
  const { judged, skipped, shrinkAttempts, unsteady, gone, laws, equations } = counts;
  if (unsteady > 0) {
    say(`not deterministic: ${unsteady} of the first answers had other bits when asked again`);
  }
  const rate = (judged / Math.max(seconds, 1e-3)).toFixed(0);
  const tail = `${skipped} skipped, ${shrinkAttempts} attempts to shrink, ${seconds.toFixed(1)} s, ${rate} cases a second`;
  if (laws > 0) say(`laws held against larger cases: ${laws}, ${equations} equations`);
  say(
    `${name}, seed ${options.seed}: ${judged} cases judged, ${findings.length} findings; ${tail}`,
  );
  if (findings.some(({ reply }) => reply.verdict.verdict !== 'broken')) return 1;
  if (findings.length > 0 || gone) return 3;
  if (judged > 0) return 0;
  process.stderr.write('xattn: no case was judged, so there is no verdict\n');
  return 2;
}

interface Asking {
  readonly root: string;
  readonly kept: Set<string>;
  readonly stop: AbortSignal;
  readonly report: FuzzReport;
}

async function fuzz(
  candidate: Candidate,
  started: Started,
  profile: Profile,
  options: Seeded,
  { root, kept, stop, report }: Asking,
): Promise<number> {
  const name = `${nameOf(started, options)}, judged as ${profile.name}`;
  if (!started.ok && stop.aborted) return statusOf(stop.reason);
  if (!started.ok) {
    process.stderr.write(`xattn: the candidate did not start: ${started.reason}\n`);
    return 3;
  }
  const { supports } = started.hello;
  const asks = ['forward', ...OP_WORDS];
  if (!asks.some((word) => supports.has(word)) || !DTYPES.some((dtype) => supports.has(dtype))) {
    const got = [...supports].join(' ') || 'nothing';
    process.stderr.write(
      `xattn: to be asked anything, "supports" in its first line must name "forward"${OP_WORDS.map((word) => ` or "${word}"`).join('')}, and one of ${DTYPES.join(' ')}, got ${got}\n`,
    );
    return 2;
  }
  const begin = performance.now();
  const line = statusLine(process.stderr);
  const asker = interviewer(candidate, started, profile, root, {
    allowDeclined: options.allowDeclined === true,
    stop,
    seed: options.seed,
  });
  const session: Session = { options, asker, line, findings: [], report, kept, interesting: 0 };
  await askCorpus(session, stop);
  const { maxSeconds = null, shard } = options;
  const runs = options.runs ?? (maxSeconds === null ? RUNS_DEFAULT : null);
  const asked = {
    runs,
    maxSeconds,
    seed: options.seed,
    shard,
    supports,
    ranks: started.hello.ranks,
    stop,
  };
  const counts = await hunt(asker, asked, session.findings, {
    onFinding: (finding) => keepFinding(session, finding),
    onInteresting: (question, output, share) =>
      keepInteresting(session, question, `${output} ${share.toPrecision(2)} of the bound`),
    onAsked: (counts) => {
      report.counted(counts);
      line.show(counts.judged, session.findings.length);
    },
  }).finally(line.clear);
  report.counted(counts);
  const status = conclude(session, counts, (performance.now() - begin) / 1000, name);
  return stop.aborted ? statusOf(stop.reason) : status;
}

export async function fuzzCommand(given: FuzzOptions): Promise<number> {
  const options = { ...given, seed: given.seed ?? drawnSeed() };
  checkFolder('--out', options.out);
  say(`seed ${options.seed}: --seed repeats what is drawn`);
  const report = new FuzzReport(options);
  const candidate = await candidateOf(options, [options.out], options);
  const kept = new Set<string>();
  const asking = (started: Started, stop: AbortSignal, root: string) => {
    report.started = started;
    const how = { root, kept, stop, report };
    return fuzz(candidate, started, profileOf(started, options), options, how);
  };
  const told = options.github ? hushed() : null;
  let isInterrupted = false;
  const status = await withAnswersAway(options.out, () =>
    withTemporaryFolder(
      (root) =>
        withCandidate(candidate, async (started, stop) => {
          const ended = await asking(started, stop, root);
          isInterrupted = stop.aborted;
          return ended;
        }),
      candidate.scratch,
    ),
  );
  told?.();
  const isWritten = report.finish(isInterrupted);
  await writeAnswers([...kept]);
  return status === 0 && !isWritten ? 2 : status;
}
