/**
 * ONNX Runtime as a candidate: the standard ONNX `Attention` operator (opset 23) on its CPU provider.
 *
 *     npx xattn gate --suite core --allow-declined --candidate 'node kit/onnxruntime/attention.mjs'
 *
 * `out` is the operator's own. The operator has no LSE; `lse` is computed here, in double precision,
 * from the scores that the operator itself hands out (`qk_matmul_output`, after softcap and mask), so
 * a wrong score shows in both. Masks that the operator has no attribute for (key lengths, windows,
 * media, bottom-right causal) go in as its boolean mask. What it does not define is answered
 * `unsupported`: see `refusal`.
 */
import ort from 'onnxruntime-node';
import protobuf from 'protobufjs';
import { broadcastAt, serve, Unsupported, visibility } from '../javascript/xattn-kit.mjs';

/** The part of onnx.proto that one node needs. */
const { root } = protobuf.parse(
  `
  syntax = "proto3";
  message AttributeProto { string name = 1; float f = 2; int64 i = 3; int32 type = 20; }
  message Dimension { int64 dim_value = 1; }
  message TensorShapeProto { repeated Dimension dim = 1; }
  message Tensor { int32 elem_type = 1; TensorShapeProto shape = 2; }
  message TypeProto { Tensor tensor_type = 1; }
  message ValueInfoProto { string name = 1; TypeProto type = 2; }
  message NodeProto {
    repeated string input = 1; repeated string output = 2; string name = 3; string op_type = 4;
    repeated AttributeProto attribute = 5;
  }
  message GraphProto {
    repeated NodeProto node = 1; string name = 2;
    repeated ValueInfoProto input = 11; repeated ValueInfoProto output = 12;
  }
  message OperatorSetIdProto { string domain = 1; int64 version = 2; }
  message ModelProto { int64 ir_version = 1; GraphProto graph = 7; repeated OperatorSetIdProto opset_import = 8; }
`,
  { keepCase: true },
);
const [FLOAT, BOOL] = [1, 9];
const [ATTRIBUTE_FLOAT, ATTRIBUTE_INT] = [1, 2];
/** qk_matmul_output_mode: scores after softcap and mask, before the softmax. */
const SCORES_BEFORE_SOFTMAX = 2;

const value = (name, elem_type, dims) => ({
  name,
  type: { tensor_type: { elem_type, shape: { dim: dims.map((dim_value) => ({ dim_value })) } } },
});

/** A model of one Attention node, as bytes. */
function model(c, maskType) {
  const mask =
    maskType === null ? [] : [value('mask', maskType, [c.batch, c.heads, c.seq_q, c.seq_kv])];
  const attribute = [
    { name: 'scale', f: c.scale, type: ATTRIBUTE_FLOAT },
    { name: 'softcap', f: c.softcap, type: ATTRIBUTE_FLOAT },
    { name: 'qk_matmul_output_mode', i: SCORES_BEFORE_SOFTMAX, type: ATTRIBUTE_INT },
    { name: 'is_causal', i: c.causal === 'top-left' ? 1 : 0, type: ATTRIBUTE_INT },
  ];
  const node = {
    op_type: 'Attention',
    input: maskType === null ? ['q', 'k', 'v'] : ['q', 'k', 'v', 'mask'],
    output: ['out', '', '', 'scores'],
    attribute,
  };
  const graph = {
    name: 'attention',
    node: [node],
    input: [
      value('q', FLOAT, [c.batch, c.heads, c.seq_q, c.head_dim]),
      value('k', FLOAT, [c.batch, c.kv_heads, c.seq_kv, c.head_dim]),
      value('v', FLOAT, [c.batch, c.kv_heads, c.seq_kv, c.head_dim_v]),
      ...mask,
    ],
    output: [
      value('out', FLOAT, [c.batch, c.heads, c.seq_q, c.head_dim_v]),
      value('scores', FLOAT, [c.batch, c.heads, c.seq_q, c.seq_kv]),
    ],
  };
  const type = root.lookupType('ModelProto');
  return type
    .encode(type.fromObject({ ir_version: 10, graph, opset_import: [{ domain: '', version: 23 }] }))
    .finish();
}

/** Why the operator does not define this case, or null. */
function refusal(c, rows) {
  if (c.seq_kv === 0) return 'ONNX Runtime refuses an empty sequence of keys';
  if (!(c.scale > 0)) return 'ONNX Runtime requires scale > 0';
  if (rows.some((keys) => keys === 0)) return 'the operator leaves a fully masked row undefined';
  if (c.softcap > 0 && c.tensors.bias) return 'opset 23 and 24 order softcap and bias differently';
  return null;
}

/** Every index [b, h, i, j], row-major. */
function* pairs(c) {
  for (let b = 0; b < c.batch; b++)
    for (let h = 0; h < c.heads; h++)
      for (let i = 0; i < c.seq_q; i++) for (let j = 0; j < c.seq_kv; j++) yield [b, h, i, j];
}

/** The mask input: float when there is a bias, boolean when some key is hidden, none otherwise. */
function maskTensor(c, seen) {
  const { bias } = c.tensors;
  const dims = [c.batch, c.heads, c.seq_q, c.seq_kv];
  if (bias) {
    const values = [...pairs(c)].map((at, n) => (seen[n] ? broadcastAt(bias, at) : -Infinity));
    return new ort.Tensor('float32', Float32Array.from(values), dims);
  }
  // The operator masks causally itself; what is left goes in as its boolean mask.
  const visible = visibility({ ...c, causal: c.causal === 'top-left' ? 'none' : c.causal });
  const keep = [...pairs(c)].map((at) => (visible(...at) ? 1 : 0));
  return keep.includes(0) ? new ort.Tensor('bool', Uint8Array.from(keep), dims) : null;
}

function logSumExp(scores, seen) {
  const visible = scores.filter((_, j) => seen[j]);
  const m = visible.reduce((max, s) => Math.max(max, s), -Infinity);
  return m + Math.log(visible.reduce((sum, s) => sum + Math.exp(s - m), 0));
}

async function compute(c) {
  const visible = visibility(c);
  const seen = [...pairs(c)].map((at) => visible(...at));
  const count = c.batch * c.heads * c.seq_q;
  const row = (n, array) => array.slice(n * c.seq_kv, (n + 1) * c.seq_kv);
  const rows = Array.from({ length: count }, (_, n) => row(n, seen).filter(Boolean).length);
  const reason = refusal(c, rows);
  if (reason !== null) throw new Unsupported(reason);
  const mask = maskTensor(c, seen);
  const session = await ort.InferenceSession.create(
    model(c, mask === null ? null : mask.type === 'bool' ? BOOL : FLOAT),
    { executionProviders: ['cpu'], logSeverityLevel: 3 },
  );
  const tensor = ({ data, shape }) => new ort.Tensor('float32', Float32Array.from(data), shape);
  const { q, k, v } = c.tensors;
  const feeds = { q: tensor(q), k: tensor(k), v: tensor(v), ...(mask === null ? {} : { mask }) };
  const { out, scores } = await session.run(feeds);
  await session.release();
  const values = Array.from(scores.data);
  const lse = Float64Array.from({ length: count }, (_, n) =>
    logSumExp(row(n, values), row(n, seen)),
  );
  return { out: Float32Array.from(out.data), lse };
}

const features =
  'forward gqa mask bias causal-top-left causal-bottom-right window softcap media varlen uneven';
serve(
  {
    name: 'ONNX Runtime Attention',
    supports: [...features.split(' '), 'f32', 'f16', 'bf16'],
    profile: 'f32',
  },
  compute,
);
