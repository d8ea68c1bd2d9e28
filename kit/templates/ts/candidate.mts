/**
 * Attention in TypeScript as a candidate: put yours in its place.
 *
 *     npx xattn gate --candidate 'node candidate.mts'      Node 22.18 or newer
 */
import { type KitCase, type KitOutputs, serve, visibility } from './xattn-kit.mjs';

interface Row {
  readonly b: number;
  readonly h: number;
  readonly i: number;
}

/** Scores of the keys that a query sees, and which keys these are. */
function scoresOf(c: KitCase, { b, h, i }: Row): { keys: number[]; scores: number[] } {
  const { q, k } = c.tensors;
  const visible = visibility(c);
  const group = b * c.kv_heads + Math.floor((h * c.kv_heads) / c.heads);
  const keys = Array.from({ length: c.seq_kv }, (_, j) => j).filter((j) => visible(b, h, i, j));
  const row = ((b * c.heads + h) * c.seq_q + i) * c.head_dim;
  const scores = keys.map((j) => {
    const key = (group * c.seq_kv + j) * c.head_dim;
    let dot = 0;
    for (let n = 0; n < c.head_dim; n++) dot += (q.data[row + n] ?? 0) * (k?.data[key + n] ?? 0);
    return c.scale * dot;
  });
  return { keys, scores };
}

function attention(c: KitCase): KitOutputs {
  const { v } = c.tensors;
  const out = new Float64Array(c.batch * c.heads * c.seq_q * c.head_dim_v);
  const lse = new Float64Array(c.batch * c.heads * c.seq_q).fill(-Infinity);
  for (let row = 0; row < lse.length; row++) {
    const [bh, i] = [Math.floor(row / c.seq_q), row % c.seq_q];
    const [b, h] = [Math.floor(bh / c.heads), bh % c.heads];
    const { keys, scores } = scoresOf(c, { b, h, i });
    if (keys.length === 0) continue;
    const group = b * c.kv_heads + Math.floor((h * c.kv_heads) / c.heads);
    const m = Math.max(...scores);
    const l = scores.reduce((sum, s) => sum + Math.exp(s - m), 0);
    lse[row] = m + Math.log(l);
    keys.forEach((j, n) => {
      const p = Math.exp((scores[n] ?? 0) - m) / l;
      for (let e = 0; e < c.head_dim_v; e++) {
        const at = row * c.head_dim_v + e;
        const value = v?.data[(group * c.seq_kv + j) * c.head_dim_v + e] ?? 0;
        out[at] = (out[at] ?? 0) + p * value;
      }
    });
  }
  return { out, lse };
}

// What it claims: it is asked such cases, and no others. The other words: backward bias softcap sink
// dropout dlse recompute (kit/README.md of the package).
const supports = [
  ...['forward', 'gqa', 'mask', 'causal-top-left', 'causal-bottom-right', 'window', 'media'],
  ...['varlen', 'uneven', 'poison', 'f64', 'f32', 'f16', 'bf16'],
];
void serve({ name: 'my attention', supports, profile: 'f64' }, attention);
