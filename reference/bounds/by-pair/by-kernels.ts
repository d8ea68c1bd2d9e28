/**
 * A case with its answer in balls as the kernels give them: in float64, or in double-double.
 *
 * The definition over balls (certified.ts) says the same, an object a number and some hundred times
 * slower; it is what is left where a radius of the kernels is infinite.
 * @module
 */

import {
  type AttentionCase,
  type InputName,
  type OutputName,
  wantsGradients,
} from '../../case/case.ts';
import { outputShape } from '../../case/case-shapes.ts';
import { visibility } from '../../case/mask.ts';
import { certifyDouble } from '../../kernels/double/double-certify.ts';
import type { DoubleSums } from '../../kernels/double/double-sums.ts';
import { type Certified, certify, recomputedKeys } from '../../kernels/float64/certify.ts';
import { keyReaders } from '../../kernels/float64/features.ts';
import { DEPTH } from '../../kernels/float64/matrix.ts';
import { type KeyErrors, readRows } from '../../kernels/walk/problem.ts';
import { nth } from '../../numbers/nth.ts';
import { elementCount, forEachRun, type Tensor } from '../../numbers/tensor.ts';
import { broadcast, type CertifiedCase, type FlatBalls, flatInput } from './certified.ts';
import { broadcastAt, type Row } from './row-magnitudes.ts';

/** 1/(1 − rate) as float64 has it is off by 3u at most. */
const KAPPA_SLACK = 1 + 2 ** -50;

export function flatOf(tensor: Tensor | undefined, size: number): Float64Array {
  const flat = new Float64Array(tensor === undefined ? size : elementCount(tensor.shape));
  if (tensor !== undefined) forEachRun(tensor, (start, run) => flat.set(run, start));
  return flat;
}

/** Of an output: an empty row's LSE has radius NaN. */
export function ballsOf({ mid, radius }: { mid: Tensor; radius: Tensor }): FlatBalls {
  return openRows({ shape: mid.shape, mid: flatOf(mid, 0), rad: flatOf(radius, 0) });
}

function openRows(balls: FlatBalls): FlatBalls {
  const { mid, rad } = balls;
  for (let n = 0; n < mid.length; n++) {
    if (nth(mid, n) === Number.NEGATIVE_INFINITY && nth(rad, n) === 0) rad[n] = Number.NaN;
  }
  return balls;
}

/** The same of a number in double-double: its low word is among the radius. */
const ballsOfDouble = ({ high, low, radius }: DoubleSums, shape: readonly number[]): FlatBalls =>
  openRows({
    shape,
    mid: high,
    rad: radius.map((r, n) => {
      const rest = Math.abs(nth(low, n)) + r;
      return r === 0 ? rest : rest * (1 + 2 ** -50);
    }),
  });

/** K or V at some keys, recomputed by the kernels, off by at most `radius` [B·Hkv, width]. spec (24) */
export function recomputedBalls(
  attentionCase: AttentionCase,
  side: 'k' | 'v',
  keys: readonly number[],
  radius: Float64Array,
): FlatBalls {
  const { batch, kv_heads, head_dim, head_dim_v } = attentionCase.parameters;
  const width = side === 'k' ? head_dim : head_dim_v;
  const reader = keyReaders(attentionCase)[side];
  const shape = [batch, kv_heads, keys.length, width];
  const [mid, rad] = [new Float64Array(elementCount(shape)), new Float64Array(elementCount(shape))];
  for (let head = 0; head < batch * kv_heads; head++) {
    const [b, g] = [Math.floor(head / kv_heads), head % kv_heads];
    const off = radius.subarray(head * width, (head + 1) * width);
    for (let n = 0; n < keys.length; n += DEPTH) {
      const some = keys.slice(n, n + DEPTH);
      const at = (head * keys.length + n) * width;
      readRows(reader, b, g, some, mid.subarray(at, at + some.length * width), width);
      for (let r = 0; r < some.length; r++) rad.set(off, at + r * width);
    }
  }
  return { shape, mid, rad };
}

/** K or V as given. */
function givenBalls(attentionCase: AttentionCase, name: InputName): FlatBalls {
  const mid = flatInput(attentionCase, name, 0);
  const shape = attentionCase.inputs[name]?.shape ?? [];
  return { shape, mid, rad: new Float64Array(mid.length) };
}

/** What the kernels give of the outputs that bounds are made of, in balls by name. */
type OutputBalls = ReadonlyMap<OutputName, FlatBalls>;

/** Rows that see no key that is kept, but their sink perhaps, have an output of 0. spec (8) */
function withZeros(
  { parameters, visible, kappa }: Pick<CertifiedCase, 'parameters' | 'visible' | 'kappa'>,
  out: FlatBalls,
): FlatBalls {
  const { heads, seq_q, seq_kv, head_dim_v: width } = parameters;
  const rad = Float64Array.from(out.rad);
  for (let r = 0; r * width < rad.length; r++) {
    const head = Math.floor(r / seq_q);
    const at: Row = [Math.floor(head / heads), head % heads, r % seq_q];
    let kept = false;
    for (let j = 0; j < seq_kv && !kept; j++) {
      kept =
        visible(...at, j) && (kappa === null || nth(kappa.data, broadcastAt(kappa, at, j)) > 0);
    }
    if (!kept) rad.fill(0, r * width, (r + 1) * width);
  }
  return { ...out, rad };
}

/** Everything about the case but its answer. */
function around(attentionCase: AttentionCase, keyErrors: KeyErrors | null, answer: OutputBalls) {
  const { parameters, inputs } = attentionCase;
  const { batch, heads, seq_q, seq_kv, head_dim_v, dropout_rate } = parameters;
  const flat = (name: InputName, length = 0) => flatInput(attentionCase, name, length);
  const keys = Array.from({ length: seq_kv }, (_, j) => j);
  const [k, v] =
    keyErrors === null
      ? [givenBalls(attentionCase, 'k'), givenBalls(attentionCase, 'v')]
      : [
          recomputedBalls(attentionCase, 'k', keys, keyErrors.key),
          recomputedBalls(attentionCase, 'v', keys, keyErrors.value),
        ];
  const kappa = (1 / (1 - dropout_rate)) * KAPPA_SLACK;
  const [out, lse] = [answer.get('out'), answer.get('lse')];
  if (out === undefined || lse === undefined) throw new Error('out and lse were not computed');
  const gradients = new Map([...answer].filter(([name]) => name !== 'out' && name !== 'lse'));
  const visible = visibility(attentionCase);
  const kept = broadcast(inputs.dropout_keep, (keep) => (keep === 0 ? 0 : kappa));
  return {
    ...{ attentionCase, parameters, k, v, lse, visible, kappa: kept },
    out: withZeros({ parameters, visible, kappa: kept }, out),
    q: flat('q'),
    dOut: flat('d_out', batch * heads * seq_q * head_dim_v),
    dLse: flat('d_lse', batch * heads * seq_q),
    bias: broadcast(inputs.bias, (x) => x),
    sink: inputs.sink === undefined ? null : flat('sink'),
    features: keyErrors === null ? null : { y: flat('y'), wK: flat('w_k'), wV: flat('w_v') },
    gradients: wantsGradients(parameters) ? gradients : null,
  };
}

/** The question with all that bounds need of its answer: dK and dV are what others are made of. */
function wantingAll(attentionCase: AttentionCase): AttentionCase {
  const { parameters } = attentionCase;
  const { wants } = parameters;
  const beside: OutputName[] = wantsGradients(parameters)
    ? ['out', 'lse', 'd_k', 'd_v']
    : ['out', 'lse'];
  return {
    ...attentionCase,
    parameters: { ...parameters, wants: [...new Set([...wants, ...beside])] },
  };
}

const named = (certified: Certified): OutputBalls =>
  new Map(Object.entries(certified).map(([name, output]) => [name as OutputName, ballsOf(output)]));

/** The case in balls by the float64 kernels. */
export function kernelCase(attentionCase: AttentionCase, threads = 1): CertifiedCase {
  const question = wantingAll(attentionCase);
  const keyErrors =
    attentionCase.parameters.dim_y === undefined
      ? null
      : recomputedKeys(attentionCase, threads).errors;
  return around(attentionCase, keyErrors, named(certify(question, { threads, keyErrors })));
}

/** The same in double-double; null where K and V are recomputed, which float64 would blur. */
export function doubleKernelCase(attentionCase: AttentionCase, threads = 1): CertifiedCase | null {
  if (attentionCase.parameters.dim_y !== undefined) return null;
  const certified = certifyDouble(wantingAll(attentionCase), { threads });
  const answer = new Map(
    Object.entries(certified).map(([key, sums]) => {
      const name = key as OutputName;
      return [name, ballsOfDouble(sums, outputShape(attentionCase, name))] as const;
    }),
  );
  return around(attentionCase, null, answer);
}
