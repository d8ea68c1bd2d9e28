/**
 * What judging a case, or answering it, will cost: said before it begins where that is minutes.
 *
 * An order of magnitude from the shapes alone. The rates were measured on one core of 2026 and decide
 * nothing but whether a sentence is printed.
 * @module
 */
import { type AttentionCase, wantsGradients } from '../reference/case/case.ts';
import { EVERYTHING, type Sample } from '../reference/case/sampling.ts';
import { isByPairs } from '../reference/verdict/expectation.ts';

/** Nanoseconds a product of Q·K or P·V: bounds pair by pair, and of rows, of cases too large to be held. */
const NS = {
  pairs: { forward: 8, both: 20 },
  rows: { forward: 5, both: 60 },
} as const;
const SAID_FROM_S = 60;

/** Products of Q·K and P·V over the chosen rows or, for gradients of keys, over the chosen keys. */
export function productsOf({ parameters }: AttentionCase, sample: Sample = EVERYTHING): number {
  const { batch, heads, seq_q, seq_kv, head_dim, head_dim_v } = parameters;
  const [rows, keys] = [sample.rows?.length ?? seq_q, sample.keys?.length ?? seq_kv];
  const byKeys = wantsGradients(parameters) ? keys * seq_q : 0;
  const pairs = Math.min(seq_q * seq_kv, rows * seq_kv + byKeys);
  return batch * heads * pairs * (head_dim + head_dim_v);
}

const spoken = (seconds: number): string =>
  seconds < 7200 ? `${Math.round(seconds / 60)} minutes` : `${Math.round(seconds / 3600)} hours`;

/** What is to be said before a case is judged or answered whole; null where it takes no minute. */
export function costSentence(question: AttentionCase, sample?: Sample): string | null {
  const products = productsOf(question, sample);
  const rates = isByPairs(question) ? NS.pairs : NS.rows;
  const rate = rates[wantsGradients(question.parameters) ? 'both' : 'forward'];
  const seconds = (products * rate) / 1e9;
  if (seconds < SAID_FROM_S) return null;
  const sampled = sample?.rows != null || sample?.keys != null;
  const offer = sampled
    ? 'a smaller sample is quicker'
    : '--rows 64 --keys 64 takes a sample of it';
  return (
    `${products.toPrecision(2)} products of Q·K and P·V, which takes a core ` +
    `in the order of ${spoken(seconds)}; ${offer}`
  );
}

/** Says so on standard error. */
export function sayCost(question: AttentionCase, sample?: Sample): void {
  const sentence = costSentence(question, sample);
  if (sentence !== null) process.stderr.write(`xattn: ${sentence}\n`);
}
