/**
 * Facts of a case that failures may go with: its features, sizes and how they divide, its shards, the
 * magnitude of its numbers, and when in a run it was asked.
 * @module
 */
import type { AttentionCase, InputName } from '../../reference/case/case.ts';
import { FEATURE_WORDS, featureWords } from '../../reference/case/features.ts';
import { visibility } from '../../reference/case/mask.ts';
import { forEachRun } from '../../reference/numbers/tensor.ts';

export interface Facts {
  /** What holds of it, as it stands in a sentence: `kv_heads < heads`, `has a bias`. */
  readonly traits: ReadonlySet<string>;
  /** Numbers by name, of which a threshold may be the trait: `seq_kv`. */
  readonly numbers: ReadonlyMap<string, number>;
}

/** How each feature word reads where all failing cases have it. */
const SAID: Partial<Record<string, string>> = {
  backward: 'asks for gradients',
  gqa: 'kv_heads < heads',
  mask: 'has a mask',
  bias: 'has a bias',
  'causal-top-left': 'is causal from the top left',
  'causal-bottom-right': 'is causal from the bottom right',
  window: 'has a window',
  softcap: 'has a softcap',
  sink: 'has a sink',
  dropout: 'has dropout',
  media: 'has media blocks',
  varlen: 'has kv_lengths',
  dlse: 'has a gradient of the LSE',
  recompute: 'recomputes K and V',
  uneven: 'has uneven shards',
  poison: 'has NaN or infinities at masked keys',
};

const TILES = [4, 8, 16, 32, 64, 128] as const;

type Trait = readonly [sentence: string, holds: boolean];

/** Features, and that a case has none of them. */
function featureTraits(question: AttentionCase): Trait[] {
  const words = new Set<string>(featureWords(question));
  const { inputs, parameters: p } = question;
  const single = (name: InputName, axis: number, extent: number): boolean =>
    extent > 1 && inputs[name]?.shape[axis] === 1;
  const masks = ['mask', 'causal-top-left', 'causal-bottom-right', 'window', 'media', 'varlen'];
  return [
    ...FEATURE_WORDS.flatMap((word): Trait[] => {
      const said = SAID[word];
      return said === undefined ? [] : [[said, words.has(word)]];
    }),
    ['is forward only', !words.has('backward')],
    ['kv_heads = heads', !words.has('gqa')],
    ['masks keys', masks.some((word) => words.has(word))],
    ['masks no key', !masks.some((word) => words.has(word))],
    ['has a mask without an axis of heads', single('mask', 1, p.heads)],
    ['has a mask without an axis of rows', single('mask', 2, p.seq_q)],
    ['has a bias without an axis of heads', single('bias', 1, p.heads)],
    ['has a bias without an axis of rows', single('bias', 2, p.seq_q)],
    ['has a bias without an axis of batches', single('bias', 0, p.batch)],
    ['has a window without an end', p.window?.some((side) => side < 0) === true],
  ];
}

/** Pairs that are looked at to find rows that see too little, at most. */
const PAIRS_MAX = 2 ** 18;

/** Rows that attend to no key, or to none of a rank's. */
function rowTraits(question: AttentionCase): Trait[] {
  const { batch, heads, seq_q, seq_kv, partition } = question.parameters;
  if (batch * heads * seq_q * seq_kv > PAIRS_MAX) return [];
  const visible = visibility(question);
  let [empty, lacking] = [false, false];
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < seq_q; i++) {
        let [any, start] = [false, 0];
        for (const size of partition.kv) {
          let own = false;
          for (let j = start; j < start + size && !own; j++) own = visible(b, h, i, j);
          lacking ||= size > 0 && !own;
          any ||= own;
          start += size;
        }
        empty ||= !any;
      }
    }
  }
  return [
    ['has a row that attends to no key', empty],
    ["has a row that attends to none of a rank's keys", lacking],
  ];
}

/** Sizes against one another. */
const sizeTraits = ({ parameters: p }: AttentionCase): Trait[] => [
  ['batch > 1', p.batch > 1],
  ['heads > 1', p.heads > 1],
  ['kv_heads = 1 < heads', p.kv_heads === 1 && p.heads > 1],
  ['1 < kv_heads < heads', p.kv_heads > 1 && p.kv_heads < p.heads],
  ['has one query', p.seq_q === 1],
  ['has several queries', p.seq_q > 1],
  ['has one key', p.seq_kv === 1],
  ['has no query', p.seq_q === 0],
  ['has no key', p.seq_kv === 0],
  ['seq_q ≠ seq_kv', p.seq_q !== p.seq_kv],
  ['seq_q > seq_kv', p.seq_q > p.seq_kv],
  ['seq_q < seq_kv', p.seq_q < p.seq_kv],
  ['head_dim ≠ head_dim_v', p.head_dim !== p.head_dim_v],
  ['head_dim > head_dim_v', p.head_dim > p.head_dim_v],
  ['head_dim < head_dim_v', p.head_dim < p.head_dim_v],
  ['scale ≠ 1/√head_dim', Math.abs(p.scale * Math.sqrt(p.head_dim) - 1) > 2 ** -20],
  ['scale ≤ 0', p.scale <= 0],
];

/** Sizes against the tiles of kernels. */
function tileTraits({ parameters: p }: AttentionCase): Trait[] {
  const shards = p.partition.kv;
  return TILES.flatMap((tile): Trait[] => [
    [`seq_kv is no multiple of ${tile}`, p.seq_kv % tile !== 0],
    [`seq_q is no multiple of ${tile}`, p.seq_q % tile !== 0],
    [`head_dim is no multiple of ${tile}`, p.head_dim % tile !== 0],
    [`head_dim_v is no multiple of ${tile}`, p.head_dim_v % tile !== 0],
    [`seq_kv > ${tile} and no multiple of it`, p.seq_kv > tile && p.seq_kv % tile !== 0],
    [
      `a shard of more than ${tile} keys, no multiple of it`,
      shards.some((n) => n > tile && n % tile !== 0),
    ],
    [`seq_kv is a multiple of ${tile}`, p.seq_kv % tile === 0],
  ]);
}

const shardTraits = ({ parameters: { partition: s, heads } }: AttentionCase): Trait[] => [
  ['has several ranks', s.ranks > 1],
  ['has one rank', s.ranks === 1],
  ['has an even number of ranks', s.ranks % 2 === 0],
  ['has an odd number of ranks above one', s.ranks > 1 && s.ranks % 2 === 1],
  ['has a rank without keys', s.kv.includes(0)],
  ['has a rank without queries', s.q.includes(0)],
  ['has uneven shards of keys', s.kv.some((n) => n !== s.kv[0])],
  ['has uneven shards of queries', s.q.some((n) => n !== s.q[0])],
  ['has heads that do not divide over its ranks', heads % s.ranks !== 0],
];

/** When in the run it was asked: its place, and whether one of the same shapes was asked before. */
export interface Asked {
  readonly turn: number;
  readonly again: boolean;
}

/** Sizes by which a program may keep what it has made. */
export const shapesOf = ({ parameters: p }: AttentionCase): string =>
  [p.batch, p.heads, p.kv_heads, p.seq_q, p.seq_kv, p.head_dim, p.head_dim_v].join();

const turnTraits = ({ turn, again }: Asked): Trait[] => [
  ['is the first question', turn === 1],
  ['is asked after one of the same shapes', again],
  ['is the first of its shapes', !again],
];

/** Largest magnitude of the finite elements of an input; 0 where there is none. */
function largest(question: AttentionCase, name: InputName): number {
  const tensor = question.inputs[name];
  let found = 0;
  if (tensor === undefined) return found;
  forEachRun(tensor, (_, run) => {
    for (const x of run) if (Number.isFinite(x)) found = Math.max(found, Math.abs(x));
  });
  return found;
}

const MAGNITUDES: readonly InputName[] = ['q', 'k', 'v', 'd_out', 'bias', 'sink'];

function numbersOf(question: AttentionCase, turn: number): Map<string, number> {
  const { parameters: p } = question;
  const sizes = [
    'batch',
    'heads',
    'kv_heads',
    'seq_q',
    'seq_kv',
    'head_dim',
    'head_dim_v',
  ] as const;
  const magnitudes = MAGNITUDES.map((name): [string, number] => [
    `the largest |${name}|`,
    largest(question, name),
  ]);
  return new Map<string, number>([
    ...sizes.map((name): [string, number] => [name, p[name]]),
    ['heads / kv_heads', p.heads / p.kv_heads],
    ['the number of ranks', p.partition.ranks],
    ['the largest shard of keys', Math.max(0, ...p.partition.kv)],
    ['the largest shard of queries', Math.max(0, ...p.partition.q)],
    ['the softcap', p.softcap],
    ['the dropout rate', p.dropout_rate],
    ['the scale', p.scale],
    ...magnitudes,
    ['its place in the run', turn],
  ]);
}

export function factsOf(question: AttentionCase, asked: Asked): Facts {
  const traits = [
    ...featureTraits(question),
    ...rowTraits(question),
    ...sizeTraits(question),
    ...shardTraits(question),
    ...tileTraits(question),
    ...turnTraits(asked),
  ];
  return {
    traits: new Set(traits.flatMap(([sentence, holds]) => (holds ? [sentence] : []))),
    numbers: numbersOf(question, asked.turn),
  };
}
