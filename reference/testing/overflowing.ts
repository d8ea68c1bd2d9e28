/**
 * Cases whose numbers leave float64 on the way to an answer that need not.
 *
 * A row whose scores are all beyond float64 sees its keys none the less: what makes a row empty is its mask.
 * @module
 */
import type { AttentionCase, CaseInputs, InputName } from '../case/case.ts';
import { type CaseChanges, drawCase } from '../case/draw-case.ts';
import { mapTensor, type Tensor } from '../numbers/tensor.ts';

type Adjust = NonNullable<CaseChanges['adjust']>;

/** Changes the finite elements of inputs that there are. */
function change(inputs: CaseInputs, names: readonly InputName[], f: (x: number) => number): void {
  for (const name of names) {
    const tensor = inputs[name];
    if (tensor === undefined) continue;
    inputs[name] = mapTensor(tensor, (x) => (Number.isFinite(x) ? f(x) : x)) as Tensor;
  }
}

const size = (x: number): number => (Math.abs(x) + 0.5) * 2 ** 516;

/** q·k of `sign` throughout, beyond 2¹⁰²⁴; where K is recomputed so is K in part. */
const towards =
  (sign: number): Adjust =>
  (inputs) => {
    change(inputs, ['q', 'k', 'y'], size);
    change(inputs, ['w_k'], (x) => (Math.abs(x) + 0.5) * 2 ** 10);
    change(inputs, ['q'], (x) => sign * x);
  };

/** The first key's scores beyond float64, those of the others not; of recomputed keys the last two's. */
const oneKey =
  (sign: number): Adjust =>
  (inputs) => {
    change(inputs, ['q'], (x) => sign * (Math.abs(x) + 0.5));
    for (const name of ['k', 'y'] as const) {
      const tensor = inputs[name];
      if (tensor === undefined || (tensor.shape.at(-2) ?? 0) === 0) continue;
      const row = (x: number[]): boolean => x[x.length - 2] === 0;
      const at = [...tensor.shape].fill(0);
      for (let c = 0; c < (tensor.shape.at(-1) ?? 0); c++) {
        at[at.length - 1] = c;
        if (row(at)) tensor.set(...at, 2 ** 1020 * (1 + c / 8));
      }
    }
    change(inputs, ['w_k'], (x) => Math.abs(x) + 0.5);
  };

/** What overflows is its name. */
const OVERFLOWING: readonly (readonly [string, CaseChanges & { adjust: Adjust }])[] = [
  ['every score towards −∞', { adjust: towards(-1) }],
  ['every score towards +∞', { adjust: towards(1) }],
  [
    'scores of either sign',
    { adjust: (inputs) => change(inputs, ['q', 'k', 'y'], (x) => x * 2 ** 516) },
  ],
  ['one key towards −∞', { scale: 2 ** 20, adjust: oneKey(-1) }],
  ['one key towards +∞', { scale: 2 ** 20, adjust: oneKey(1) }],
  [
    'scores beyond float64 a little apart',
    {
      scale: -1,
      adjust: ({ q, k, y, w_k }) => {
        for (const tensor of [q, k, y]) {
          const [rows = 0, width = 0] = tensor?.shape.slice(-2) ?? [];
          const middle = tensor?.shape.length === 4 ? (tensor.shape[1] ?? 1) : 1;
          for (let b = 0; b < (tensor?.shape[0] ?? 0); b++) {
            for (let h = 0; h < middle; h++) {
              for (let i = 0; i < rows; i++) {
                const at = tensor?.shape.length === 4 ? [b, h, i] : [b, i];
                if (width > 0) tensor?.set(...at, 0, 2 ** 516);
              }
            }
          }
        }
        // K's first component is made of the first feature alone, and the others of none of it.
        const [features = 0, columns = 0] = w_k?.shape ?? [];
        for (let e = 0; e < features; e++) {
          for (let c = 0; c < columns; c++) {
            if (e === 0 || c === 0) w_k?.set(e, c, e === 0 && c === 0 ? 1 : 0);
          }
        }
      },
    },
  ],
  [
    'values and cotangents',
    {
      adjust: (inputs) => change(inputs, ['v', 'w_v', 'y', 'd_out'], (x) => x * 2 ** 516),
    },
  ],
  [
    'a bias and a sink beside scores near the end',
    {
      scale: 2 ** 1019,
      adjust: (inputs) => {
        change(inputs, ['q', 'k', 'w_k', 'y'], (x) => (Math.abs(x) + 0.5) / 8);
        change(inputs, ['bias', 'sink'], (x) => Math.sign(x) * Number.MAX_VALUE);
      },
    },
  ],
];

const SMALL = {
  ...{ heads: 1, kv_heads: 1, seq_q: 2, seq_kv: 3, head_dim: 2, head_dim_v: 1 },
  dtype: 'f64',
} as const;

/** The first row sees nothing. */
const emptyRow: Adjust = ({ mask }) => {
  for (let j = 0; j < 3; j++) {
    mask?.set(0, j, 0);
    mask?.set(1, j, j === 1 ? 0 : 1);
  }
};

const FEATURES: readonly (readonly [string, CaseChanges])[] = [
  ['plain', {}],
  ['softcap', { softcap: 2 }],
  ['bias', { bias: [2, 3] }],
  ['sink', { sink: true }],
  ['an empty row', { mask: [2, 3], adjust: emptyRow }],
  ['an empty row and a sink', { mask: [2, 3], sink: true, adjust: emptyRow }],
  ['gqa, causal', { heads: 2, seq_q: 3, seq_kv: 2, causal: 'bottom-right' }],
  ['dropout', { dropout_rate: 0.5 }],
  ['recompute', { dim_y: 2 }],
];

/** Small, so that hundreds of digits are affordable. */
export function overflowingCases(): (readonly [string, AttentionCase])[] {
  return OVERFLOWING.flatMap(([twist, { scale, adjust: twisted }], n) =>
    FEATURES.map(([feature, base], at): readonly [string, AttentionCase] => {
      const adjust: Adjust = (inputs, parameters, below) => {
        base.adjust?.(inputs, parameters, below);
        twisted(inputs, parameters, below);
      };
      const all = { ...SMALL, ...base, ...(scale === undefined ? {} : { scale }) };
      return [`${feature}: ${twist}`, drawCase(100 * n + at, { ...all, adjust })];
    }),
  );
}
