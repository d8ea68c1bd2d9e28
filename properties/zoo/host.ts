/**
 * Host: one whole implementation of distributed attention, forward and backward, every feature, at
 * every precision profile, built of steps that a fault may replace.
 *
 * With no step replaced it passes the gate at every profile; what a fault does to it is therefore
 * the fault's alone.
 * @module
 */

import type { ProfileName } from '../../reference/bounds/lemmas/profile.ts';
import {
  type AttentionCase,
  type OutputName,
  type Outputs,
  wantsGradients,
} from '../../reference/case/case.ts';
import { tensorOf } from '../../reference/numbers/tensor.ts';
import { backward } from './host/backward.ts';
import { contextOf } from './host/context.ts';
import { forward } from './host/forward.ts';
import { HONEST } from './host/honest.ts';
import { PRECISIONS, type Precision } from './host/precision.ts';
import { projectionGradients, recompute } from './host/projection.ts';
import type { Buffers, Context, Seams } from './host/seams.ts';

/** Answers cases one after another; a faulty one may remember what it was asked before. */
export type Host = (attentionCase: AttentionCase) => Outputs;

function shapes({ p, inputs }: Context): Record<OutputName, readonly number[]> {
  return {
    out: [p.batch, p.heads, p.seq_q, p.head_dim_v],
    lse: [p.batch, p.heads, p.seq_q],
    d_q: [p.batch, p.heads, p.seq_q, p.head_dim],
    d_k: [p.batch, p.kv_heads, p.seq_kv, p.head_dim],
    d_v: [p.batch, p.kv_heads, p.seq_kv, p.head_dim_v],
    d_bias: inputs.bias?.shape ?? [],
    d_sink: [p.heads],
    d_y: inputs.y?.shape ?? [],
    d_w_k: inputs.w_k?.shape ?? [],
    d_w_v: inputs.w_v?.shape ?? [],
  };
}

/** Every output of one case, in flat arrays. */
function buffersOf(x: Context): Buffers {
  const { seams, round, p } = x;
  seams.begin(x);
  recompute(x);
  const saved = forward(x);
  const outputs: Buffers = { out: saved.out.map(round.output), lse: saved.lse.map(round.lse) };
  if (wantsGradients(p)) {
    const gradients = backward(x, saved);
    projectionGradients(x, gradients);
    seams.finishBackward(x, gradients);
    for (const [name, data] of Object.entries(gradients)) {
      outputs[name as OutputName] = data.map(round.output);
    }
  }
  seams.finish(x, outputs);
  return outputs;
}

/** A host at a precision with some steps replaced; none by default. */
export function hostOf(precision: Precision, replaced: Partial<Seams> = {}): Host {
  const seams = { ...HONEST, ...replaced };
  const round = seams.round(precision);
  return (attentionCase) => {
    const x = contextOf(attentionCase, seams, round);
    const buffers = buffersOf(x);
    const shape = shapes(x);
    const outputs: Outputs = {};
    for (const name of x.p.wants) {
      const data = buffers[name];
      if (data !== undefined) outputs[name] = tensorOf<number>(data, shape[name]);
    }
    return outputs;
  };
}

/** The honest host of a profile. */
export const honestHost = (profile: ProfileName): Host => hostOf(PRECISIONS[profile]);
