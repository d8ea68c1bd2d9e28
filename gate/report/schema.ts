/**
 * The JSON report, schema 1, as a schema: what is written is this, what is read must be, and the
 * published report.schema.json is made of it. Fields may be added; none changes its meaning. Other
 * programs write reports too (kit/python/xattn_pytest.py), so what is not needed may be absent.
 * @module
 */
import { z } from 'zod';
import { OUTPUT_NAMES } from '../../reference/case/case.ts';
import { VERDICT_NAMES } from '../../reference/verdict/judge.ts';

const count = z.int().min(0);
/** What JSON has no number for is a text. */
const real = z.union([z.number(), z.enum(['NaN', 'Infinity', '-Infinity'])], {
  error: 'expected a number, "NaN", "Infinity" or "-Infinity"',
});
const part = z.object({ judged: count, of: count });

const outputSchema = z
  .object({
    max_ulp: real.nullable(),
    max_bound_fraction: real,
    worst_index: z.array(count),
    expected: real,
    got: real,
  })
  .describe('The element furthest off, as a fraction of its bound; above 1 is a failure.');

const sampleSchema = z.object({
  ...{ rows: part, keys: part, elements: part },
  not_judged: z.array(z.enum(OUTPUT_NAMES)),
});

export const caseSchema = z.object({
  id: z.string().min(1).max(400),
  verdict: z.enum(VERDICT_NAMES),
  reason: z.string(),
  outputs: z.partialRecord(z.enum(OUTPUT_NAMES), outputSchema),
  wrong_ranks: z
    .array(z.object({ rank: count, outputs: z.array(z.enum(OUTPUT_NAMES)) }))
    .optional()
    .describe(
      'Of a wrong answer of several ranks: those whose blocks are wrong, and of which outputs.',
    ),
  sample: sampleSchema.optional().describe('What was judged, where that is not all.'),
  open: z
    .object({ elements: count, of: count })
    .optional()
    .describe('Elements of which nothing finite is asked.'),
  differs: z.literal(true).optional().describe('Other bits when asked again, within the bounds.'),
  recall: z
    .object({ alone: z.enum(['passes', 'fails']), after: z.array(z.string()).optional() })
    .optional()
    .describe(
      'A failing case asked again of a fresh process: alone, and after which others it fails.',
    ),
  declined: z.literal(true).optional().describe('Answered "unsupported" though it claims it.'),
  not_returned: z.array(z.enum(OUTPUT_NAMES)).optional(),
  ranks: z
    .object({
      ...{ given: count, ran: count, group: count.optional() },
      anew: z.literal(true).optional(),
    })
    .optional()
    .describe('Ranks dealt out to, and run on, where that is known; dealt anew or not.'),
  profile: z.string().optional().describe('Where it is not the report’s.'),
  words: z.array(z.string()).default([]).describe('Feature words that it needs, and its dtype.'),
  asked: z.boolean().default(true).describe('False: the candidate was not asked.'),
  shows: z.string().nullable().default(null).describe('The fault that this case is built to show.'),
  kept: z.string().nullable().default(null).describe('Where the failing case is kept.'),
  not_kept: z.string().optional().describe('Why it could not be kept.'),
  replay: z.string().nullable().default(null).describe('The command that asks the same again.'),
  log: z
    .array(z.string())
    .default([])
    .describe('The end of the candidate’s log, where it is broken.'),
  seconds: z.number().min(0).default(0),
});

const ranksSchema = z.object({
  ran_on: z.record(z.string().regex(/^\d+$/), count),
  ...{ several: count, fewer: count, one: count, ungrouped: count.optional() },
  anew: count.optional(),
});

const summarySchema = z.object({
  ...{ pass: count, fail: count, skip: count, broken: count },
  sampled: count.optional(),
  claimed: count.optional(),
  compared: count.optional(),
  declined: count.optional(),
  ranks: ranksSchema.optional(),
});

const share = z.object({ cases: count, of: count });
const fitSchema = z.object({
  ...{ faults: z.array(z.string()), wrong: z.array(z.string()), failing: share, passing: share },
  outputs: z.array(z.enum(OUTPUT_NAMES)).optional(),
  unlike: z.array(z.enum(OUTPUT_NAMES)).optional(),
  ranks: z.literal('one').optional(),
});
const traitGroup = { traits: z.array(z.string()), failing: share, passing: share };
const traitsSchema = z
  .object({
    ...traitGroup,
    further: z.array(z.object(traitGroup)).optional(),
    sentence: z.string(),
  })
  .nullable();
const behaviourSchema = z
  .object({
    kind: z.enum(['fault', 'pair', 'rounding', 'precision', 'none', 'untried']),
    fits: z.array(fitSchema),
    profile: z.string().optional(),
    tried: count,
    stopped: z.literal(true).optional(),
    sentence: z.string(),
  })
  .nullable();
const afterSchema = z.object({ id: z.string(), before: z.array(z.string()) });
/** Field by field as in diagnosis/diagnosis.ts. */
const diagnosisSchema = z.object({
  headline: z.string(),
  ...{ wrong: count, broken: count, passing: count, smallest: z.array(z.string()) },
  memory: z
    .object({ alone: share, after: z.array(afterSchema), sentence: z.string() })
    .nullable()
    .default(null),
  ...{ behaviour: behaviourSchema, traits: traitsSchema, broken_traits: traitsSchema },
  outputs: z.array(
    z.object({
      ...{ output: z.enum(OUTPUT_NAMES), wrong: share },
      findings: z.array(z.object({ sentence: z.string(), holds: share })),
    }),
  ),
});

export const reportSchema = z
  .object({
    schema: z.literal(1, { error: 'expected 1, the one version that this program knows' }),
    version: z.string().max(100).default('unknown').describe('Of lv-xattn-oracle, which judged.'),
    candidate: z.string(),
    profile: z.string(),
    asked: z.string().default('').describe('Suite, input format, direction, seed, shard.'),
    seed: z.int().min(0).optional(),
    shard: z
      .object({ index: z.int().min(1), count: z.int().min(1) })
      .refine(({ index, count }) => index <= count, { error: 'expected index ≤ count' })
      .optional(),
    required: z.array(z.string()).optional(),
    incomplete: z.string().optional().describe('Why it does not speak of every case.'),
    silent: z.literal(true).optional().describe('The candidate never said hello.'),
    note: z.string().optional(),
    seconds: z.number().min(0).default(0),
    unlisted: z
      .object({ pass: count, skip: count })
      .optional()
      .describe('Judged, counted in the summary, and not among the cases.'),
    summary: summarySchema,
    diagnosis: diagnosisSchema.optional().describe('What the failing cases have in common.'),
    cases: z.array(caseSchema),
  })
  .meta({ title: 'The report of xattn gate, fuzz, replay, judge and merge-reports' });

export type JsonReport = z.infer<typeof reportSchema>;
export type JsonCase = z.infer<typeof caseSchema>;

/** The text of report.schema.json. */
export const publishedSchema = (): string =>
  `${JSON.stringify(z.toJSONSchema(reportSchema, { target: 'draft-7', io: 'input' }), null, 2)}\n`;
