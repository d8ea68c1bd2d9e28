/**
 * Ranks in processes: what they need is checked, dealt out, watched, and collected.
 *
 * A rank that ends, breaks the format or says nothing for too long ends the run with an error that
 * says which rank it was, and at which step, by what it said last. Where ranks only say that they
 * lost another one, that one is asked after first.
 * @module
 */
import type { z } from 'zod';
import type { Shard } from '../context.ts';
import type { resolveDevice } from '../device/choose.ts';
import { failureAt, type RankEvent } from '../interpreter.ts';
import { messagesOf } from '../labels.ts';
import type { RanksRun, RunOptions, Watching } from '../run-options.ts';
import type { Schedule } from '../schedule.ts';
import { elementCount } from '../wire.ts';
import { Crew, type Member } from './crew.ts';
import type { Frame } from './frames.ts';
import {
  atHeader,
  failureHeader,
  headerOf,
  type JobHeader,
  jobOnly,
  type logOf,
  refused,
  resultHeader,
} from './headers.ts';
import { checkProcessNeeds, shardBytesOf } from './needs.ts';
import { type Done, packShard, unpackDone } from './packing.ts';
import { sentOrNot } from './sent-for.ts';
import type { Place } from './transport.ts';

/** How long a better reason is waited for than that a rank was lost. */
const REASON_MS = 1000;
const START_MS = 60_000;

type Settings = Pick<RunOptions, 'timeoutMs' | 'listen' | 'startTimeoutMs'> & Watching;

interface Seat {
  readonly member: Member;
  place: Place;
  heard: number;
  isReady: boolean;
  failed: boolean;
  /** The rank that it has failed for: which it has lost, or waited for in vain. */
  lost: number | null;
  done: Done | null;
}

/** One run: every rank at its seat. */
class Deal {
  readonly #job: number;
  readonly #passes: readonly Schedule[];
  readonly #bytesPerElement: 4 | 8;
  readonly #timeoutMs: number;
  readonly #progress: Int32Array | null;
  readonly #seats: readonly Seat[];
  readonly #errors = new Map<number, Error>();
  #settle: (ended: Error | null) => void = () => undefined;
  #watch: NodeJS.Timeout | undefined;
  #doubt: NodeJS.Timeout | undefined;

  constructor(
    job: number,
    members: readonly Member[],
    passes: readonly Schedule[],
    settings: {
      readonly bytesPerElement: 4 | 8;
      readonly timeoutMs: number;
      readonly progress: Int32Array | null;
    },
  ) {
    const { bytesPerElement, timeoutMs, progress } = settings;
    this.#progress = progress;
    [this.#job, this.#passes, this.#timeoutMs] = [job, passes, timeoutMs];
    this.#bytesPerElement = bytesPerElement;
    this.#seats = members.map((member) => ({
      member,
      place: { pass: 0, step: 0 },
      heard: performance.now(),
      isReady: false,
      failed: false,
      lost: null,
      done: null,
    }));
  }

  /** Deals out, and waits for every rank's result. Throws the first failure. */
  async run(jobs: readonly { header: JobHeader; payload: Uint8Array }[]) {
    const ended = new Promise<Error | null>((resolve) => {
      this.#settle = resolve;
    });
    for (const [rank, seat] of this.#seats.entries()) {
      const { member } = seat;
      member.receive = (frame) => this.#receive(rank, seat, frame);
      member.ended = (reason) => this.#fail(rank, seat.place, reason, null);
      const job = jobs[rank];
      if (job !== undefined) member.link.send('job', job.header, job.payload);
    }
    this.#watch = setInterval(() => this.#look(), Math.max(20, this.#timeoutMs / 10));
    const error = await ended.finally(() => {
      clearInterval(this.#watch);
      clearTimeout(this.#doubt);
      for (const { member } of this.#seats) {
        [member.receive, member.ended] = [() => undefined, () => undefined];
      }
    });
    if (error !== null) throw error;
    return this.#seats.flatMap(({ done }) => (done === null ? [] : [done]));
  }

  #sendAll(kind: 'go' | 'done', header: unknown): void {
    for (const { member } of this.#seats) member.link.send(kind, header);
  }

  #receive(rank: number, seat: Seat, frame: Frame): void {
    seat.heard = performance.now();
    if (frame.kind === 'refused') {
      this.#fail(rank, seat.place, headerOf(refused, frame).reason, null);
      return;
    }
    const { kind } = frame;
    const { job } = headerOf(jobOnly, frame);
    if (job !== this.#job) throw new RangeError(`"job" expected ${this.#job}, got ${job}`);
    if (kind === 'ready') {
      seat.isReady = true;
      if (!this.#seats.every(({ isReady }) => isReady)) return;
      const addresses = this.#seats.map(({ member }) => member.address);
      this.#sendAll('go', { job, addresses });
    } else if (kind === 'at') {
      const { pass, step } = headerOf(atHeader, frame);
      seat.place = { pass, step };
      this.#report(rank, seat.place);
    } else if (kind === 'failure') {
      const { pass, step, reason, lost } = headerOf(failureHeader, frame);
      this.#fail(rank, { pass, step }, reason, lost);
    } else {
      seat.done = this.#doneOf(rank, frame);
      if (!this.#seats.every(({ done }) => done !== null)) return;
      this.#sendAll('done', { last: false });
      this.#settle(null);
    }
  }

  /** Where a rank is, for whoever watches. */
  #report(rank: number, { pass, step }: Place): void {
    if (this.#progress === null) return;
    const before = this.#passes.slice(0, pass).map(({ ranks }) => ranks[rank]?.length ?? 0);
    Atomics.store(
      this.#progress,
      rank,
      before.reduce((sum, steps) => sum + steps, step),
    );
  }

  #doneOf(rank: number, frame: Frame): Done {
    const eventOf = (event: z.infer<typeof logOf>[number]): RankEvent => {
      const pass = this.#passes[event.pass];
      const operation = pass?.ranks[rank]?.[event.step];
      if (pass === undefined || operation === undefined) {
        throw new RangeError(`rank ${rank} has no step ${event.step} in pass ${event.pass}`);
      }
      return { ...event, rank, direction: pass.direction, operation };
    };
    return unpackDone(headerOf(resultHeader, frame), frame.payload, this.#bytesPerElement, eventOf);
  }

  #fail(rank: number, place: Place, reason: string, lost: number | null): void {
    const seat = this.#seats[rank];
    if (seat !== undefined) [seat.failed, seat.lost] = [true, lost];
    const lastOf = (of: number): Place => this.#seats[of]?.place ?? { pass: 0, step: 0 };
    const waited = lost === null ? '' : sentOrNot(this.#passes, rank, place, lastOf);
    this.#errors.set(rank, failureAt(this.#passes, rank, place, `${reason}${waited}`));
    const first = this.#first(rank);
    const missing = this.#seats[first]?.lost ?? null;
    // Where the lost one has spoken for itself, there is no better reason to come.
    const spoken = missing === null || this.#seats[missing]?.failed === true;
    if (spoken) this.#settle(this.#errors.get(first) ?? null);
    else this.#doubt ??= setTimeout(() => this.#settleDoubt(rank), REASON_MS);
  }

  #settleDoubt(rank: number): void {
    this.#settle(this.#silent() ?? this.#errors.get(this.#first(rank)) ?? null);
  }

  /** Who failed first of those that fail because of one another: a rank, the one it waits for, and so on. */
  #first(rank: number): number {
    const met = new Set([rank]);
    for (let at = rank; ; ) {
      const next = this.#seats[at]?.lost ?? null;
      if (next === null || met.has(next) || this.#seats[next]?.failed !== true) return at;
      met.add(next);
      at = next;
    }
  }

  /**
   * The rank that has said nothing for longest, where that is too long: before all are ready, of those
   * that are not, for the others have nothing to say until then.
   */
  #silent(): Error | null {
    const now = performance.now();
    const starting = !this.#seats.every(({ isReady }) => isReady);
    const quiet = [...this.#seats.entries()]
      .filter(([, { done, failed, heard, isReady }]) => {
        if (starting && isReady) return false;
        return done === null && !failed && now - heard > this.#timeoutMs;
      })
      .sort(([, a], [, b]) => a.heard - b.heard);
    const [first] = quiet;
    if (first === undefined) return null;
    const [rank, { place, heard, isReady }] = first;
    const silence = `it has said nothing for ${Math.round(now - heard)} ms`;
    const reason = isReady ? silence : `${silence}, and has not taken in its part of the case`;
    return failureAt(this.#passes, rank, place, reason);
  }

  #look(): void {
    // Ranks that wait for it in vain say so first.
    if (this.#doubt !== undefined) return;
    const late = performance.now() - this.#timeoutMs - REASON_MS;
    const stalled = this.#seats.some(({ done, failed, heard }) => {
      return done === null && !failed && heard < late;
    });
    const error = stalled ? this.#silent() : null;
    if (error !== null) this.#settle(error);
  }
}

let jobs = 0;
/** Processes that were started here stay for the next run. */
let standing: Crew | null = null;
/** Runs follow one another: ranks of two runs would wait for one another's processes. */
let last: Promise<unknown> = Promise.resolve();

async function runOn(
  crew: Crew,
  shards: readonly Shard[],
  passes: readonly Schedule[],
  device: ReturnType<typeof resolveDevice>,
  settings: Settings,
): Promise<RanksRun> {
  const { timeoutMs = 60_000, startTimeoutMs = START_MS } = settings;
  const { observing = false, timing = false, progress = null } = settings;
  const bytesPerElement = device === 'reference' ? 8 : 4;
  const [shard] = shards;
  if (shard === undefined) throw new Error('a case expected at least one rank');
  const { parameters } = shard;
  const elements = passes
    .flatMap((pass) => messagesOf(parameters, pass))
    .map(({ label }) => elementCount(parameters, label));
  const messageBytes = bytesPerElement * elements.reduce((a, b) => Math.max(a, b), 0);
  const members = await crew.gather(shards.length, startTimeoutMs);
  jobs++;
  const common = { job: jobs, device, parameters, messageBytes, timeoutMs, observing, timing };
  const dealt = shards.map((own) => {
    const { header, payload } = packShard(own);
    const lists = passes.map(({ name, direction, layout, ranks }) => {
      return { name, direction, layout, list: ranks[own.rank] ?? [] };
    });
    return { header: { ...common, shard: header, passes: lists }, payload };
  });
  const deal = new Deal(jobs, members, passes, { bytesPerElement, timeoutMs, progress });
  const done = await deal.run(dealt);
  const [backend, ...others] = new Set(done.map((one) => one.backend));
  if (backend === undefined || others.length > 0) {
    throw new Error(`ranks expected one backend, ran on ${[backend, ...others].join(', ')}`);
  }
  return {
    results: done.map(({ result }) => result),
    backend,
    log: done.flatMap(({ log }) => log),
    peakBytes: done.map((one) => one.peakBytes),
  };
}

/** Runs on processes that are started here, or, where `listen` is given, connect from elsewhere. */
export async function runProcesses(
  shards: readonly Shard[],
  passes: readonly Schedule[],
  device: ReturnType<typeof resolveDevice>,
  settings: Settings,
): Promise<RanksRun> {
  const { listen = null } = settings;
  if (listen === null) checkProcessNeeds(shards.length, shardBytesOf(shards));
  const run = last.then(async () => {
    const crew = listen === null ? (standing ?? (await Crew.open(null))) : await Crew.open(listen);
    if (listen === null) standing = crew;
    try {
      const ran = await runOn(crew, shards, passes, device, settings);
      if (listen === null) crew.hold(false);
      else await crew.close();
      return ran;
    } catch (error) {
      if (listen === null) standing = null;
      await crew.close(error instanceof Error ? error.message : String(error));
      throw error;
    }
  });
  last = run.catch(() => undefined);
  return run;
}

/** Ends all processes that were started here; the next run starts new ones. */
export async function closeProcesses(): Promise<void> {
  await last;
  const crew = standing;
  standing = null;
  await crew?.close();
}
