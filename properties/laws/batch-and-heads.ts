/**
 * Laws about batch entries and heads, which never speak to one another, and about recomputation.
 * @module
 */

import type { CaseInputs, OutputName } from '../../reference/case/case.ts';
import { recomputeKeysAndValues } from '../../reference/definition/recompute.ts';
import { big } from '../../reference/numbers/big.ts';
import { mapTensor } from '../../reference/numbers/tensor.ts';
import { changed, type Equation, equal, type Law, type Term } from './law.ts';
import { indicesOf } from './output-shape.ts';
import { pickInputs } from './rearrange.ts';

const PER_ENTRY: readonly OutputName[] = ['out', 'lse', 'd_q', 'd_k', 'd_v', 'd_y'];

/** Each batch entry alone gives the same; what all entries share is the sum of theirs. */
export const batchSplit: Law = {
  name: 'batch entries one by one give the same, and shared gradients add up',
  from: 'spec (6)-(18), (26)',
  applies: ({ parameters }) => parameters.batch > 1,
  transform: (c) => {
    const parts = Array.from({ length: c.parameters.batch }, (_, b) =>
      changed(c, { batch: 1 }, pickInputs(c, 'batch', [b])),
    );
    return parts.some((part) => part === null) ? null : parts.filter((part) => part !== null);
  },
  *equations(c, others) {
    for (const output of c.parameters.wants) {
      const own = PER_ENTRY.includes(output);
      const biasBatch = c.inputs.bias?.shape.length === 4 ? (c.inputs.bias.shape[0] ?? 1) : 1;
      const perEntry = own || (output === 'd_bias' && biasBatch > 1);
      for (const index of indicesOf(c, output)) {
        if (perEntry) {
          const [b = 0, ...rest] = index;
          yield equal(output, index, { run: b + 1, index: [0, ...rest] });
        } else {
          const shares = others.map(
            (_, n): Term => ({ run: n + 1, output, index, coefficient: -1 }),
          );
          yield { terms: [{ run: 0, output, index, coefficient: 1 }, ...shares], constant: 0 };
        }
      }
    }
  },
};

/** Query heads from last group to first, in the order they have within a group. */
function headOrder({ heads, kv_heads }: { heads: number; kv_heads: number }): number[] {
  const group = heads / kv_heads;
  return Array.from({ length: heads }, (_, h) => {
    const [g, n] = [Math.floor(h / group), h % group];
    return (kv_heads - 1 - g) * group + n;
  });
}

/** Groups of heads may change places. */
export const headPermutation: Law = {
  name: 'permuting groups of heads permutes everything that has heads',
  from: 'spec (1)',
  applies: ({ parameters, inputs }) => parameters.kv_heads > 1 && inputs.k !== undefined,
  transform: (c) => {
    const reversedGroups = Array.from(
      { length: c.parameters.kv_heads },
      (_, g) => c.parameters.kv_heads - 1 - g,
    );
    const { k, v } = c.inputs;
    if (k === undefined || v === undefined) return null;
    const inputs: CaseInputs = {
      ...pickInputs(c, 'heads', headOrder(c.parameters)),
      ...pickInputs({ ...c, inputs: { k, v } }, 'kvHeads', reversedGroups),
    };
    const other = changed(c, {}, inputs);
    return other === null ? null : [other];
  },
  *equations(c) {
    const order = headOrder(c.parameters);
    const { kv_heads } = c.parameters;
    for (const output of c.parameters.wants) {
      const shape = c.inputs.bias?.shape ?? [];
      const biasAxis = shape.length - 3;
      for (const index of indicesOf(c, output)) {
        const moved = [...index];
        const swap = (axis: number) => {
          moved[axis] = order[index[axis] ?? 0] ?? 0;
        };
        if (output === 'd_k' || output === 'd_v') moved[1] = kv_heads - 1 - (index[1] ?? 0);
        else if (output === 'd_sink') swap(0);
        else if (output === 'd_bias') {
          if (biasAxis >= 0 && (shape[biasAxis] ?? 1) > 1) swap(biasAxis);
        } else swap(1);
        yield equal(output, index, { run: 1, index: moved });
      }
    }
  },
};

/** K = Y W_K, V = Y W_V handed over as inputs give the same, and the chain rule gives dW and dY. */
export const recomputation: Law = {
  name: 'recomputed K and V give what given ones do; dW = Yᵀ dX and dY = Σ dX Wᵀ',
  from: 'spec (24)-(26)',
  applies: ({ parameters }) => parameters.dim_y !== undefined,
  transform: (c) => {
    const { y, w_k, w_v, ...rest } = c.inputs;
    if (y === undefined || w_k === undefined || w_v === undefined) return null;
    const arithmetic = big(400);
    const over = { y, wK: w_k, wV: w_v };
    const lifted = {
      y: mapTensor(over.y, arithmetic.fromNumber),
      wK: mapTensor(over.wK, arithmetic.fromNumber),
      wV: mapTensor(over.wV, arithmetic.fromNumber),
    };
    const [k, v] = recomputeKeysAndValues(arithmetic, c.parameters, lifted);
    let exact = true;
    const [kNumbers, vNumbers] = [k, v].map((tensor) =>
      mapTensor(tensor, (x) => {
        const number = x.toNumber();
        exact &&= arithmetic.compare(arithmetic.fromNumber(number), x) === 0;
        return number;
      }),
    );
    if (!exact || kNumbers === undefined || vNumbers === undefined) return null;
    const { dim_y: _, ...parameters } = c.parameters;
    const wants = c.parameters.wants.filter((name) => !['d_y', 'd_w_k', 'd_w_v'].includes(name));
    const given = { ...c, parameters, inputs: rest };
    const other = changed(given, { wants }, { k: kNumbers, v: vNumbers });
    return other === null ? null : [other];
  },
  *equations(c, [other]): Iterable<Equation> {
    if (other === undefined) return;
    for (const output of other.parameters.wants) {
      for (const index of indicesOf(other, output)) yield equal(output, index, { run: 1 });
    }
    for (const [output, from] of [
      ['d_w_k', 'd_k'],
      ['d_w_v', 'd_v'],
    ] as const) {
      if (!c.parameters.wants.includes(output)) continue;
      const width = from === 'd_k' ? c.parameters.head_dim : c.parameters.head_dim_v;
      for (const index of indicesOf(c, output)) {
        const [e = 0, column = 0] = index;
        const terms: Term[] = [{ run: 0, output, index, coefficient: 1 }];
        const [g, x] = [Math.floor(column / width), column % width];
        for (let b = 0; b < c.parameters.batch; b++) {
          for (let j = 0; j < c.parameters.seq_kv; j++) {
            const coefficient = -(c.inputs.y?.get(b, j, e) ?? 0);
            terms.push({ run: 1, output: from, index: [b, g, j, x], coefficient });
          }
        }
        yield { terms, constant: 0 };
      }
    }
  },
};
