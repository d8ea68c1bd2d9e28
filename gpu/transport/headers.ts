/**
 * Headers of frames: what each kind says, checked before it is believed.
 * @module
 */
import { timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { INPUT_NAMES } from '../../reference/case/case.ts';
import { expectedOf } from '../costs/checked.ts';
import { OPERATIONS } from '../operations.ts';
import { KINDS, type Operation } from '../schedule.ts';
import type { Frame } from './frames.ts';

const count = z.int().min(0);
const direction = z.enum(['forward', 'backward']);
const lane = z.enum(KINDS);
const token = z.string().max(200);
const job = count;
const address = z.strictObject({ host: z.string().max(255), port: z.int().min(1).max(65_535) });

/**
 * From a rank to whoever deals out: the port that other ranks reach it at, and the name that it was
 * started under, "" where somebody else has started it.
 */
export const rankHello = z.strictObject({
  role: z.literal('rank'),
  token,
  name: z.string().max(100),
  port: address.shape.port,
});
/** From a rank to one that it sends messages to. */
export const peerHello = z.strictObject({ role: z.literal('peer'), token, job, from: count });
export const refused = z.strictObject({ reason: z.string() });

/** Which fields an operation has is known where it is run: a schedule's list is data. */
const field = z.union([
  z.string(),
  z.number(),
  z.boolean(),
  z.null(),
  z.array(count),
  z.array(z.string()),
]);
const operation = z
  .object({ op: z.enum(['send', 'receive', ...Object.keys(OPERATIONS)]) })
  .catchall(field);
const list = z.array(operation) as unknown as z.ZodType<readonly Operation[]>;
const partition = z.strictObject({ ranks: count, q: z.array(count), kv: z.array(count) });
const shard = z.strictObject({
  rank: count,
  /** Elements of each array, in the order of the payload; bytes of each. */
  bytesPerElement: z.literal([4, 8]),
  arrays: z.array(z.tuple([z.string().max(20), count])),
  /** After them, float64: what is held whole. */
  inputs: z.array(z.tuple([z.enum(INPUT_NAMES), z.array(count).max(4)])),
});
export const jobHeader = z.strictObject({
  job,
  device: z.enum(['webasm', 'cpu', 'reference']),
  /** Checked as a case's are. */
  parameters: z.unknown(),
  shard,
  passes: z.array(z.strictObject({ name: z.string(), direction, layout: partition, list })),
  /** The most bytes of a message. */
  messageBytes: count,
  timeoutMs: z.number().positive(),
  observing: z.boolean(),
  timing: z.boolean(),
});

/** What every frame of a job says. */
export const jobOnly = z.looseObject({ job });
/** All have finished: channels may be closed; `last`: no other job follows. */
export const doneHeader = z.strictObject({ last: z.boolean() });
/** Where every rank is reached, by rank. */
export const goHeader = z.strictObject({ job, addresses: z.array(address) });
export const atHeader = z.strictObject({ job, pass: count, step: count });

const contribution = z.strictObject({ block: count, from: count, to: count });
const label = z.strictObject({
  kind: lane,
  direction,
  blocks: z.array(count),
  heads: z.strictObject({ from: count, to: count, of: count }),
  merged: z.array(contribution),
  sends: z.enum(['O', 'O, dLSE']).optional(),
});
export const messageHeader = z.strictObject({
  from: count,
  to: count,
  lane,
  pass: count,
  step: count,
  sequence: count,
  stamp: count,
  label,
  elements: count,
  checksum: count,
});
export const freeHeader = z.strictObject({ lane, sequence: count, stamp: count });

const contents = z.strictObject({ label: label.nullable(), bytes: count, hash: count });
const snapshot = z.record(z.string(), contents);
const seen = z.strictObject({ before: snapshot, after: snapshot, message: contents.nullable() });
/** The log, as JSON at the end of a result's payload. What was asked for is known already. */
export const logOf = z.array(
  z.strictObject({
    stamp: count,
    pass: count,
    step: count,
    elements: count,
    seen: seen.nullable(),
    at: z.tuple([z.number(), z.number()]).nullable(),
    waited: z.tuple([z.number(), z.number()]).nullable(),
    kernel_s: z.number().min(0).nullable(),
  }),
);
export const resultHeader = z.strictObject({
  job,
  backend: z.string().max(100),
  peakBytes: count,
  arrays: z.array(z.tuple([z.string().max(20), count])),
  /** Parts of dBias, behind the arrays: their places and elements. */
  bias: z.array(
    z.strictObject({ places: z.array(z.array(count).nullable()).length(4), elements: count }),
  ),
  logBytes: count,
});
export const failureHeader = z.strictObject({
  job,
  pass: count,
  step: count,
  reason: z.string(),
  /** The rank whose connection was lost, where that is the reason. */
  lost: count.nullable(),
});

/** The header of a frame, as its kind has it. Throws RangeError that names the field. */
export function headerOf<T>(schema: z.ZodType<T>, { kind, header }: Frame): T {
  const parsed = schema.safeParse(header);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const name = issue?.path.map(String).join('.') || 'header';
  const wanted = expectedOf(issue?.message ?? '');
  // Of what came only numbers are told again: a token that does not fit may be another run's.
  const got = issue?.path.reduce<unknown>((value, key) => Object(value)[key], header);
  const came = typeof got === 'number' ? `, got ${got}` : '';
  throw new RangeError(`a frame "${kind}": "${name}" ${wanted}${came}`);
}

/** Whether a token is the one, in a time that does not tell how much of it is right. */
export function isToken(given: string, own: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(own)];
  return a.length === b.length && timingSafeEqual(a, b);
}

export type JobHeader = z.infer<typeof jobHeader>;
