/**
 * The smallest honest candidate in JavaScript: forward attention in double precision.
 *
 *     npx xattn gate --candidate 'node kit/javascript/example.mjs'
 */
import { serve, visibility } from './xattn-kit.mjs';

function compute(c) {
  const { q, k, v } = c.tensors;
  const visible = visibility(c);
  const out = new Float64Array(c.batch * c.heads * c.seq_q * c.head_dim_v);
  const lse = new Float64Array(c.batch * c.heads * c.seq_q).fill(-Infinity);
  for (let row = 0; row < lse.length; row++) {
    const [bh, i] = [Math.floor(row / c.seq_q), row % c.seq_q];
    const [b, h] = [Math.floor(bh / c.heads), bh % c.heads];
    const g = b * c.kv_heads + Math.floor((h * c.kv_heads) / c.heads);
    const keys = Array.from({ length: c.seq_kv }, (_, j) => j).filter((j) => visible(b, h, i, j));
    if (keys.length === 0) continue;
    const scores = keys.map((j) => {
      let dot = 0;
      for (let n = 0; n < c.head_dim; n++) {
        dot += q.data[row * c.head_dim + n] * k.data[(g * c.seq_kv + j) * c.head_dim + n];
      }
      return c.scale * dot;
    });
    const m = Math.max(...scores);
    const l = scores.reduce((sum, s) => sum + Math.exp(s - m), 0);
    lse[row] = m + Math.log(l);
    keys.forEach((j, n) => {
      for (let e = 0; e < c.head_dim_v; e++) {
        const value = v.data[(g * c.seq_kv + j) * c.head_dim_v + e];
        out[row * c.head_dim_v + e] += (Math.exp(scores[n] - m) / l) * value;
      }
    });
  }
  return { out, lse };
}

const supports = ['forward', 'gqa', 'mask', 'causal-top-left', 'causal-bottom-right', 'window'];
const more = ['media', 'varlen', 'uneven', 'poison', 'f64', 'f32', 'f16', 'bf16'];
serve({ name: 'JavaScript example', supports: [...supports, ...more], profile: 'f64' }, compute);
