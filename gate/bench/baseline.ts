/**
 * The alternative that the benchmark measures against: attention as one would first write it, in
 * plain loops on flat arrays, without masks, bounds or shapes. For speed only; it judges nobody.
 * @module
 */

/** Sizes of one head; all arrays are row-major, one head after another. */
export interface PlainShape {
  heads: number;
  seq_q: number;
  seq_kv: number;
  dim: number;
}

type Flat = Float64Array;

function dot(a: Flat, at: number, b: Flat, bt: number, length: number): number {
  let sum = 0;
  for (let c = 0; c < length; c++) sum += (a[at + c] ?? 0) * (b[bt + c] ?? 0);
  return sum;
}

function addScaled(to: Flat, at: number, factor: number, from: Flat, ft: number, n: number): void {
  for (let c = 0; c < n; c++) to[at + c] = (to[at + c] ?? 0) + factor * (from[ft + c] ?? 0);
}

/** Softmax probabilities of one row, written into `row`. */
function softmaxRow(shape: PlainShape, q: Flat, k: Flat, qt: number, kt: number, row: Flat): void {
  const { seq_kv, dim } = shape;
  let max = Number.NEGATIVE_INFINITY;
  for (let j = 0; j < seq_kv; j++) {
    row[j] = dot(q, qt, k, kt + j * dim, dim) / Math.sqrt(dim);
    max = Math.max(max, row[j] ?? 0);
  }
  let sum = 0;
  for (let j = 0; j < seq_kv; j++) {
    row[j] = Math.exp((row[j] ?? 0) - max);
    sum += row[j] ?? 0;
  }
  for (let j = 0; j < seq_kv; j++) row[j] = (row[j] ?? 0) / sum;
}

/** Every row's probabilities, with the offsets of its query and of its head's keys. */
function forEachRow(
  shape: PlainShape,
  q: Flat,
  k: Flat,
  visit: (row: Flat, qt: number, kt: number) => void,
): void {
  const { heads, seq_q, seq_kv, dim } = shape;
  const row = new Float64Array(seq_kv);
  for (let h = 0; h < heads; h++) {
    for (let i = 0; i < seq_q; i++) {
      const [qt, kt] = [(h * seq_q + i) * dim, h * seq_kv * dim];
      softmaxRow(shape, q, k, qt, kt, row);
      visit(row, qt, kt);
    }
  }
}

export function plainForward(shape: PlainShape, q: Flat, k: Flat, v: Flat): Flat {
  const out = new Float64Array(q.length);
  forEachRow(shape, q, k, (row, qt, kt) => {
    row.forEach((p, j) => {
      addScaled(out, qt, p, v, kt + j * shape.dim, shape.dim);
    });
  });
  return out;
}

/** The gradients by q, k and v. */
export function plainBackward(shape: PlainShape, q: Flat, k: Flat, v: Flat, d_out: Flat) {
  const { dim } = shape;
  const out = plainForward(shape, q, k, v);
  const [d_q, d_k, d_v] = [q, k, v].map(({ length }) => new Float64Array(length));
  if (!d_q || !d_k || !d_v) throw new Error('three gradients were made');
  forEachRow(shape, q, k, (row, qt, kt) => {
    const d = dot(d_out, qt, out, qt, dim);
    row.forEach((p, j) => {
      const at = kt + j * dim;
      const ds = (p * (dot(d_out, qt, v, at, dim) - d)) / Math.sqrt(dim);
      addScaled(d_v, at, p, d_out, qt, dim);
      addScaled(d_q, qt, ds, k, at, dim);
      addScaled(d_k, at, ds, q, qt, dim);
    });
  });
  return { d_q, d_k, d_v };
}
