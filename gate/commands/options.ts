/**
 * Values of the command line: parsed, checked, and refused with a sentence.
 * @module
 */
import { randomInt } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { InvalidArgumentError } from 'commander';
import { MODELS } from '../../gpu/costs/models.ts';
import { SCHEDULE_NAMES, type ScheduleName } from '../../gpu/schedules/index.ts';
import { FUSIONS } from '../../gpu/stack/shape.ts';
import { PROFILES, type Profile } from '../../reference/bounds/lemmas/profile.ts';
import {
  isProfileText,
  PROFILE_SYNTAX,
  profileFrom,
} from '../../reference/bounds/lemmas/profile-options.ts';
import type { SampleSize } from '../../reference/case/sampling.ts';
import type { Candidate } from '../candidate.ts';
import { processCandidate } from '../candidates/process.ts';
import type { OptionValue } from '../keep.ts';
import type { ReportFiles } from '../live-report.ts';
import { type PassChoice, passesAsked } from '../pass-choice.ts';
import { WORDS } from '../protocol.ts';
import { confined, sandbox } from '../sandbox.ts';
import type { Shard } from '../select.ts';

export const SUITES = ['smoke', 'core', 'full', 'merge'] as const;
export const DEVICES = ['auto', 'webasm', 'cpu', 'reference'] as const;
export const TRANSPORTS = ['threads', 'simulated', 'processes'] as const;
export const SCHEDULES = SCHEDULE_NAMES;
export const MODEL_NAMES = MODELS.map(({ name }) => name);
/** Options of one attention that a model's layers have no use for. */
export const NOT_OF_MODELS = [
  ...['heads', 'kvHeads', 'headDim', 'seqKv', 'direction', 'listen', 'trace', 'svg'],
  ...['group', 'overlap', 'skipEmpty', 'expanded', 'causal', 'window'],
];
export { FUSIONS };

/** Options that only a model has. Throws a RangeError where one is given without. */
export function checkOfModels(options: object): void {
  const given = ['layers', 'frames', 'shrink', 'fusion'].find((name) => name in options);
  if (given === undefined) return;
  throw new RangeError(`"--${given}" expected "--model", got none`);
}

/** Throws a RangeError where a drawing and a trace would be written over one another. */
export function checkFilesApart({ svg, trace }: { svg?: string; trace?: string }): void {
  if (svg === undefined || trace === undefined || path.resolve(svg) !== path.resolve(trace)) return;
  throw new RangeError(`"--svg" expected another file than "--trace", got ${svg} for both`);
}
export const FORMATS = ['f64', 'f32', 'bf16', 'f16', 'fp8-e4m3', 'fp8-e5m2'] as const;
/** A number format that an answer can be written in. */
export type AnswerFormat = (typeof FORMATS)[number];

/** Options of every command that judges a candidate. */
export interface CandidateOptions extends PassChoice {
  candidate?: string;
  profile?: Profile;
  timeoutS: number;
  startTimeoutS: number;
  device: (typeof DEVICES)[number];
  transport: (typeof TRANSPORTS)[number];
  schedule: ScheduleName;
  allowDeclined?: boolean;
  functionals?: boolean;
  sandbox?: boolean;
  sandboxShow?: readonly string[];
}

/** Which part of a case a command is about. */
export interface SampleOptions {
  rows?: SampleSize;
  keys?: SampleSize;
  seed?: number;
}

/** The options that were given, without those that were not. */
export const choiceOf = ({ rows, keys, seed }: SampleOptions) => ({
  ...(rows === undefined ? {} : { rows }),
  ...(keys === undefined ? {} : { keys }),
  ...(seed === undefined ? {} : { seed }),
});

/** Digits as a number that they are exactly, or a sentence with the limits. */
function wholeFrom(text: string, least: 0 | 1): number {
  if (!/^\d+$/.test(text) || Number(text) < least) {
    throw new InvalidArgumentError(`Expected a whole number, ${least} or more.`);
  }
  if (!Number.isSafeInteger(Number(text))) {
    throw new InvalidArgumentError(`Expected a whole number, at most ${Number.MAX_SAFE_INTEGER}.`);
  }
  return Number(text);
}

export const wholeNumber = (text: string): number => wholeFrom(text, 0);

/** `64`: so many; `3,5,8` or `3,`: these positions. */
export function positions(text: string): number | number[] {
  if (/^\d+$/.test(text)) return wholeNumber(text);
  if (!/^\d+(,\d+)*,?$/.test(text)) {
    throw new InvalidArgumentError('Expected how many, such as 64, or positions, such as 3,5,8.');
  }
  return text
    .split(',')
    .filter((part) => part !== '')
    .map(wholeNumber);
}

/** `HOST:PORT`, an IPv6 address in brackets. */
export function address(text: string): { host: string; port: number } {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const [host, port] = [bracketed ?? plain, Number(digits)];
  if (host === undefined || !(port >= 1 && port <= 65_535)) {
    throw new InvalidArgumentError('Expected HOST:PORT, such as 10.0.0.7:4000.');
  }
  return { host, port };
}

export const positiveNumber = (text: string): number => wholeFrom(text, 1);

export function factor(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value < Number.POSITIVE_INFINITY)) {
    throw new InvalidArgumentError('Expected a factor, 0 or more.');
  }
  return value;
}

const SECONDS_MAX = 86_400;

export function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0 && value <= SECONDS_MAX)) {
    throw new InvalidArgumentError(`Expected seconds, more than 0 and at most ${SECONDS_MAX}.`);
  }
  return value;
}

export function shard(text: string): Shard {
  const [, index = 0, count = 0] = (/^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? []).map(Number);
  if (index < 1 || index > count) {
    throw new InvalidArgumentError('Expected i/n with 1 ≤ i ≤ n, such as 2/4.');
  }
  return { index, count };
}

/** A profile's text, such as `f16` or `f16+sigmoid-merge`. */
export function profileText(text: string): Profile {
  if (!isProfileText(text)) throw new InvalidArgumentError(`Expected ${PROFILE_SYNTAX}.`);
  return profileFrom(text);
}

export function commandText(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('Expected a shell command.');
  return text;
}

export function pathText(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('Expected a path, got an empty text.');
  return text;
}

export function globText(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('Expected a pattern, such as "*/gqa*".');
  return text;
}

/** Feature and dtype words, apart by commas or spaces. */
export function words(text: string): string[] {
  const given = text.split(/[\s,]+/).filter((word) => word !== '');
  const unknown = given.find((word) => !(WORDS as readonly string[]).includes(word));
  if (given.length === 0 || unknown !== undefined) {
    throw new InvalidArgumentError(
      `Expected words of ${WORDS.join(' ')}, got ${unknown ?? 'none'}.`,
    );
  }
  return given;
}

/** A seed that nobody could know beforehand. */
export const drawnSeed = (): number => randomInt(2 ** 31);

/** One value more of an option that may be given several times. */
export const oneMore = (text: string, before: readonly string[] = []): string[] => [
  ...before,
  text,
];

/** Where runs keep what failed unless they are told otherwise. */
export const DEFAULT_OUT = 'out';

/**
 * The candidate that the options name; without `candidate`, the embedded one. In a sandbox, it does
 * not see `hidden` folders, nor those of earlier runs; and `reports` must lie where it cannot see them.
 */
export async function candidateOf(
  options: CandidateOptions,
  hidden: readonly string[],
  reports: ReportFiles = {},
): Promise<Candidate> {
  const [timeoutMs, startTimeoutMs] = [options.timeoutS * 1000, options.startTimeoutS * 1000];
  const { candidate: command, device, transport, schedule } = options;
  if (options.sandboxShow !== undefined && options.sandbox !== true) {
    throw new RangeError('"--sandbox-show" expected "--sandbox" beside it, got none');
  }
  if (command !== undefined && options.sandbox === true) {
    // What is not there yet cannot be hidden.
    for (const folder of hidden) mkdirSync(folder, { recursive: true });
    const inside = sandbox({
      ...{ command, hidden: [...hidden, DEFAULT_OUT], shown: options.sandboxShow ?? [] },
      secret: { '--report': reports.report, '--junit': reports.junit, '--html': reports.html },
    });
    const asked = { command: inside.wrap(command), timeoutMs, startTimeoutMs };
    return confined(inside, processCandidate(asked));
  }
  if (options.sandbox === true) {
    throw new RangeError(
      '"--sandbox" expected a program to judge, got none; name one by --candidate',
    );
  }
  if (command !== undefined) return processCandidate({ command, timeoutMs, startTimeoutMs });
  const { embeddedCandidate } = await import('../candidates/embedded.ts');
  const passes = passesAsked(schedule, options);
  const timing = reports.html !== undefined;
  const how = { timeoutMs, startTimeoutMs, passes, timing };
  return embeddedCandidate({ schedule, device, transport, ...how });
}

/** What a replay must be given to judge as this run did; defaults are left out. */
export function replayOptions(options: CandidateOptions): Record<string, OptionValue> {
  const { sandbox: inside } = options;
  const { candidate, profile, timeoutS, startTimeoutS, device, transport, schedule } = options;
  return {
    candidate,
    sandbox: inside,
    'sandbox-show': options.sandboxShow,
    profile: profile?.name,
    'timeout-s': timeoutS === DEFAULTS.timeoutS ? undefined : String(timeoutS),
    'start-timeout-s': startTimeoutS === DEFAULTS.startTimeoutS ? undefined : String(startTimeoutS),
    device: device === DEFAULTS.device ? undefined : device,
    transport: transport === DEFAULTS.transport ? undefined : transport,
    schedule: schedule === DEFAULTS.schedule ? undefined : schedule,
    'no-overlap': options.overlap === false ? true : undefined,
    'skip-empty': options.skipEmpty,
    expanded: options.expanded,
    functionals: options.functionals,
  };
}

/** Programs that launch several processes, or a compiler, take long until they can say hello. */
export const DEFAULTS = {
  timeoutS: 60,
  startTimeoutS: 120,
  device: 'auto',
  transport: 'threads',
  schedule: 'lv-xattn',
  profile: PROFILES.f32,
} as const;
