/**
 * A case from tensors: sizes are read off their shapes, and what has an obvious value need not be
 * said. Python's `make_case` (kit/python/xattn_kit.py) is the same.
 * @module
 */
import { elementCount, type Tensor, tensorOf } from '../numbers/tensor.ts';
import {
  type AttentionCase,
  type CaseInputs,
  type CaseParameters,
  INPUT_NAMES,
  type InputName,
  type Judging,
  type OutputName,
} from './case.ts';
import { validateCase } from './validate.ts';

/** Numbers in row-major order, with their shape. */
interface PlainInput {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** An input under each name that has one: spec/case.md. */
export type GivenInputs = Partial<Record<InputName, Tensor | PlainInput | undefined>>;

/** What the shapes do not say; each has a default. */
export interface CaseChoices
  extends Partial<
    Omit<
      CaseParameters,
      'schema' | 'batch' | 'heads' | 'seq_q' | 'seq_kv' | 'head_dim' | 'head_dim_v' | 'dim_y'
    >
  > {
  /** Default: structured, the worst case of any values. */
  readonly judging?: Judging;
}

function tensorIn(name: InputName, input: Tensor | PlainInput): Tensor {
  if ('get' in input && typeof input.get === 'function') return input;
  const { data, shape } = input;
  if (data.length !== elementCount(shape)) {
    throw new RangeError(
      `"${name}" expected ${elementCount(shape)} numbers for [${shape.join(', ')}], got ${data.length}`,
    );
  }
  return tensorOf<number>(data, shape);
}

function extentsOf(name: InputName, inputs: CaseInputs, rank: number): number[] {
  const shape = inputs[name]?.shape;
  if (shape === undefined) throw new RangeError(`"${name}" expected a tensor, got none`);
  if (shape.length !== rank) {
    throw new RangeError(`"${name}" expected ${rank} axes, got shape [${shape.join(', ')}]`);
  }
  return shape;
}

/** Sizes, of keys and values or of the features that they are made of. */
function sizesOf(inputs: CaseInputs, kvHeads: number | undefined) {
  const [batch = 0, heads = 0, seq_q = 0, head_dim = 0] = extentsOf('q', inputs, 4);
  const rows = { batch, heads, seq_q, head_dim };
  if (inputs.y === undefined) {
    const [, kv_heads = 0, seq_kv = 0] = extentsOf('k', inputs, 4);
    return { ...rows, kv_heads, seq_kv, head_dim_v: extentsOf('v', inputs, 4)[3] ?? 0 };
  }
  if (kvHeads === undefined) throw new RangeError('"kv_heads" expected a number beside "y"');
  const [, seq_kv = 0, dim_y = 0] = extentsOf('y', inputs, 3);
  const head_dim_v = (extentsOf('w_v', inputs, 2)[1] ?? 0) / kvHeads;
  return { ...rows, kv_heads: kvHeads, seq_kv, head_dim_v, dim_y };
}

const REALS: readonly InputName[] = [
  ...(['q', 'k', 'v', 'd_out', 'd_lse', 'bias', 'sink', 'y', 'w_k', 'w_v'] as const),
];

/** f32 where every real input is held in it. */
const dtypeOf = (inputs: CaseInputs): 'f32' | 'f64' =>
  REALS.every((name) => {
    const data = inputs[name]?.data;
    return data === undefined || data instanceof Float32Array;
  })
    ? 'f32'
    : 'f64';

/**
 * A well-formed case of `given` inputs; a RangeError says what is wrong with them. Without a word of
 * it `wants` is `out`, `scale` 1/√head_dim, the dtype that of the arrays, and there is one rank.
 */
export function makeCase(given: GivenInputs, choices: CaseChoices = {}): AttentionCase {
  const inputs: CaseInputs = {};
  for (const name of INPUT_NAMES) {
    const input = given[name];
    if (input !== undefined) inputs[name] = tensorIn(name, input);
  }
  const { judging, ...chosen } = choices;
  const sizes = sizesOf(inputs, choices.kv_heads);
  const wants: OutputName[] = ['out'];
  const parameters: CaseParameters = {
    ...{ schema: 1, id: 'case', dtype: dtypeOf(inputs), softcap: 0, causal: 'none', window: null },
    ...{ scale: 1 / Math.sqrt(sizes.head_dim), media: null, dropout_rate: 0, wants },
    partition: { ranks: 1, q: [sizes.seq_q], kv: [sizes.seq_kv] },
    ...chosen,
    ...sizes,
  };
  return validateCase(parameters, inputs, judging);
}
