/**
 * The host's activation recomputation: K = Y W_K, V = Y W_V, and the gradients through them.
 * @module
 */
import { flatIndex, read } from './context.ts';
import type { Buffers, Context, Pass } from './seams.ts';

/** Visits each element of X = Y W with its place and its column of W. */
function forEachElement(
  x: Context,
  width: number,
  pass: Pass,
  visit: (at: { b: number; j: number; n: number; column: number }) => void,
): void {
  const { batch, kv_heads, seq_kv } = x.p;
  for (let b = 0; b < batch; b++) {
    for (let g = 0; g < kv_heads; g++) {
      for (let j = 0; j < seq_kv; j++) {
        for (let c = 0; c < width; c++) {
          const n = flatIndex([kv_heads, seq_kv, width], b, g, j, c);
          visit({ b, j, n, column: x.seams.column(x, g, c, width, pass) });
        }
      }
    }
  }
}

function project(x: Context, y: Float64Array, w: Float64Array, width: number): Float64Array {
  const { batch, kv_heads, seq_kv, dim_y = 0 } = x.p;
  const projected = new Float64Array(batch * kv_heads * seq_kv * width);
  forEachElement(x, width, 'forward', ({ b, j, n, column }) => {
    let sum = 0;
    for (let e = 0; e < dim_y; e++) {
      const term = read(y, (b * seq_kv + j) * dim_y + e) * read(w, e * kv_heads * width + column);
      sum = x.round.score(sum + x.round.score(term));
    }
    projected[n] = x.round.operand(sum);
  });
  return projected;
}

const features = (x: Context) => {
  const { y, w_k, w_v } = x.inputs;
  if (y === undefined || w_k === undefined || w_v === undefined) return null;
  const round = (data: Float64Array) => data.map(x.round.operand);
  return { y: round(y.data), wK: round(w_k.data), wV: round(w_v.data) };
};

/** Fills K and V from the features, where the case has features. */
export function recompute(x: Context): void {
  const given = features(x);
  if (given === null) return;
  x.k = project(x, given.y, given.wK, x.p.head_dim);
  x.v = project(x, given.y, given.wV, x.p.head_dim_v);
}

/** dY += dX Wᵀ, and dW = Yᵀ dX. */
function through(
  x: Context,
  name: 'd_w_k' | 'd_w_v',
  y: Float64Array,
  w: Float64Array,
  dX: Float64Array,
  dY: Float64Array,
): Float64Array {
  const { kv_heads, seq_kv, dim_y = 0, head_dim, head_dim_v } = x.p;
  const { round, seams } = x;
  const width = name === 'd_w_k' ? head_dim : head_dim_v;
  const dW = seams.buffer(x, name, w.length);
  forEachElement(x, width, 'backward', ({ b, j, n, column }) => {
    const gradient = round.operand(read(dX, n));
    const at = { b, h: 0, i: j, home: 0 };
    for (let e = 0; e < dim_y; e++) {
      const [row, cell] = [(b * seq_kv + j) * dim_y + e, e * kv_heads * width + column];
      dY[row] = seams.add(x, 'd_y', read(dY, row), round.gradient(gradient * read(w, cell)), at);
      dW[cell] = seams.add(x, name, read(dW, cell), round.gradient(gradient * read(y, row)), at);
    }
  });
  return dW;
}

/** Adds d_y, d_w_k, d_w_v to the gradients, where the case has features. */
export function projectionGradients(x: Context, gradients: Buffers): void {
  const given = features(x);
  const { d_k, d_v } = gradients;
  if (given === null || d_k === undefined || d_v === undefined) return;
  const dY = x.seams.buffer(x, 'd_y', given.y.length);
  gradients.d_w_k = through(x, 'd_w_k', given.y, given.wK, d_k, dY);
  gradients.d_w_v = through(x, 'd_w_v', given.y, given.wV, d_v, dY);
  gradients.d_y = dY;
}
