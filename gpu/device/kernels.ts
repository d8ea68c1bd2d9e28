/**
 * The GPU.js kernels of block attention: one thread an element, f32, flat arrays.
 *
 * They are source texts, since GPU.js translates text: no bundler or test runner can change them on
 * the way. Index conventions are those of device.ts: row = (b·heads + h)·rows + i,
 * pair = row·keys + j, and a row's KV head is ⌊(b·heads + h)/group⌋ of all batches' KV heads.
 * Invisible pairs are skipped before their key or value is read.
 * Where a case has no mask, bias or dropout there is an array of one element in its place, and
 * `masked`, `biased` or `dropped` is 0, so that only this element is read.
 * @module
 */

/** s = scale·q·k → softcap → + bias; 0 at invisible pairs. spec (2)-(4) */
const scores = `function (q, k, visible, masked, bias, biased, group, rows, keys, d, scale, softcap) {
  const n = this.thread.x;
  const j = n % keys;
  const row = Math.floor(n / keys);
  const g = Math.floor(Math.floor(row / rows) / group);
  let s = 0;
  if (visible[n * masked] > 0.5) {
    for (let c = 0; c < d; c++) {
      s += q[row * d + c] * k[(g * keys + j) * d + c];
    }
    s = s * scale;
    if (softcap > 0) {
      const t = 1 - 2 / (Math.exp(2 * Math.abs(s / softcap)) + 1);
      if (s < 0) { s = -t * softcap; } else { s = t * softcap; }
    }
    s = s + bias[n * biased];
  }
  return s;
}`;

/** m = max_j s over visible keys; −3·10³⁸ when there is none. */
const rowMax = `function (s, visible, masked, keys) {
  const row = this.thread.x;
  let m = -3.0e38;
  for (let j = 0; j < keys; j++) {
    if (visible[(row * keys + j) * masked] > 0.5) {
      if (s[row * keys + j] > m) { m = s[row * keys + j]; }
    }
  }
  return m;
}`;

/** exp(s − m), 0 at invisible pairs; with m = LSE these are the probabilities. spec (7) */
const weights = `function (s, visible, masked, m, keys) {
  const n = this.thread.x;
  let w = 0;
  if (visible[n * masked] > 0.5) { w = Math.exp(s[n] - m[Math.floor(n / keys)]); }
  return w;
}`;

/** l = Σ_j exp(s − m). */
const rowSum = `function (w, keys) {
  const row = this.thread.x;
  let l = 0;
  for (let j = 0; j < keys; j++) { l += w[row * keys + j]; }
  return l;
}`;

/** LSE = m + log l; 0 for an empty row, which the host replaces by −∞. spec (6) */
const rowLse = `function (m, l) {
  const row = this.thread.x;
  let lse = 0;
  if (l[row] > 0) { lse = m[row] + Math.log(l[row]); }
  return lse;
}`;

/** O = Σ_j w κ V / l. spec (8) */
const output = `function (w, visible, masked, kappa, dropped, v, l, group, rows, keys, dv) {
  const n = this.thread.x;
  const c = n % dv;
  const row = Math.floor(n / dv);
  const g = Math.floor(Math.floor(row / rows) / group);
  let o = 0;
  for (let j = 0; j < keys; j++) {
    const pair = row * keys + j;
    if (visible[pair * masked] > 0.5) { o += w[pair] * kappa[pair * dropped] * v[(g * keys + j) * dv + c]; }
  }
  if (l[row] > 0) { o = o / l[row]; }
  return o;
}`;

/** max + log(exp(a − max) + exp(b − max)); −3·10³⁸ stands for −∞ on both sides. spec (22) */
const mergeLse = `function (a, b) {
  const row = this.thread.x;
  let m = a[row];
  if (b[row] > m) { m = b[row]; }
  let lse = m;
  if (m > -2.9e38) { lse = m + Math.log(Math.exp(a[row] - m) + Math.exp(b[row] - m)); }
  return lse;
}`;

/** exp(a − LSE) O_a + exp(b − LSE) O_b. spec (22) */
const mergeOutput = `function (oA, a, oB, b, lse, dv) {
  const n = this.thread.x;
  const row = Math.floor(n / dv);
  let o = 0;
  if (a[row] > -2.9e38) { o += Math.exp(a[row] - lse[row]) * oA[n]; }
  if (b[row] > -2.9e38) { o += Math.exp(b[row] - lse[row]) * oB[n]; }
  return o;
}`;

/** dLSE − Σ_c dO·O. spec (12) */
const rowDelta = `function (dOut, out, dLse, dv) {
  const row = this.thread.x;
  let d = 0;
  for (let c = 0; c < dv; c++) { d += dOut[row * dv + c] * out[row * dv + c]; }
  return dLse[row] - d;
}`;

/** dS = P (κ dO·V + delta), 0 at invisible pairs. spec (11), (13) */
const scoreGradient = `function (p, visible, masked, kappa, dropped, dOut, v, delta, group, rows, keys, dv) {
  const n = this.thread.x;
  const j = n % keys;
  const row = Math.floor(n / keys);
  const g = Math.floor(Math.floor(row / rows) / group);
  let gradient = 0;
  if (visible[n * masked] > 0.5) {
    for (let c = 0; c < dv; c++) { gradient += dOut[row * dv + c] * v[(g * keys + j) * dv + c]; }
    gradient = p[n] * (kappa[n * dropped] * gradient + delta[row]);
  }
  return gradient;
}`;

/** dS (1 − tanh²), from the capped score without its bias. spec (14) */
const softcapGradient = `function (dS, capped, visible, masked, softcap) {
  const n = this.thread.x;
  let gradient = 0;
  if (visible[n * masked] > 0.5) {
    const t = capped[n] / softcap;
    gradient = dS[n] * (1 - t * t);
  }
  return gradient;
}`;

/** dQ = scale Σ_j dS K. spec (15) */
const queryGradient = `function (dS, visible, masked, k, group, rows, keys, d, scale) {
  const n = this.thread.x;
  const c = n % d;
  const row = Math.floor(n / d);
  const g = Math.floor(Math.floor(row / rows) / group);
  let sum = 0;
  for (let j = 0; j < keys; j++) {
    const pair = row * keys + j;
    if (visible[pair * masked] > 0.5) { sum += dS[pair] * k[(g * keys + j) * d + c]; }
  }
  return sum * scale;
}`;

/** Σ over the group's heads and the rows of weight·x: dK from (dS, Q), dV from (P κ, dO). spec (10), (16) */
const keyGradient = `function (weight, visible, masked, factor, factored, x, group, rows, keys, d, scale) {
  const n = this.thread.x;
  const c = n % d;
  const key = Math.floor(n / d);
  const j = key % keys;
  const g = Math.floor(key / keys);
  let sum = 0;
  for (let h = 0; h < group; h++) {
    for (let i = 0; i < rows; i++) {
      const row = (g * group + h) * rows + i;
      const pair = row * keys + j;
      if (visible[pair * masked] > 0.5) { sum += weight[pair] * factor[pair * factored] * x[row * d + c]; }
    }
  }
  return sum * scale;
}`;

/** dBias + Σ dS over the pairs of an element; has… is 1 for an axis that the bias has. spec (17) */
const biasGradient = `function (dBias, dS, batch, heads, rows, keys, hasB, hasH, hasI, hasJ) {
  const n = this.thread.x;
  let rest = n;
  let j = 0; let i = 0; let h = 0; let b = 0;
  let toJ = keys; let toI = rows; let toH = heads; let toB = batch;
  if (hasJ > 0.5) { j = rest % keys; rest = Math.floor(rest / keys); toJ = j + 1; }
  if (hasI > 0.5) { i = rest % rows; rest = Math.floor(rest / rows); toI = i + 1; }
  if (hasH > 0.5) { h = rest % heads; rest = Math.floor(rest / heads); toH = h + 1; }
  if (hasB > 0.5) { b = rest; toB = b + 1; }
  let sum = dBias[n];
  for (let bb = b; bb < toB; bb++) {
    for (let hh = h; hh < toH; hh++) {
      for (let ii = i; ii < toI; ii++) {
        for (let jj = j; jj < toJ; jj++) {
          sum += dS[((bb * heads + hh) * rows + ii) * keys + jj];
        }
      }
    }
  }
  return sum;
}`;

/** Σ exp(sink − LSE)·(dLSE − D) over batch and rows of a head. spec (18) */
const sinkGradient = `function (sink, lse, delta, batch, heads, rows) {
  const h = this.thread.x;
  let sum = 0;
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < rows; i++) {
      const row = (b * heads + h) * rows + i;
      sum += Math.exp(sink[h] - lse[row]) * delta[row];
    }
  }
  return sum;
}`;

const add = `function (x, y) {
  return x[this.thread.x] + y[this.thread.x];
}`;

/** X[b, g, j, c] = Σ_e y[b, j, e]·w[e, g·width + c]. spec (24) */
const project = `function (y, w, heads, keys, width, dimY) {
  const n = this.thread.x;
  const c = n % width;
  const key = Math.floor(n / width);
  const j = key % keys;
  const g = Math.floor(key / keys) % heads;
  const b = Math.floor(Math.floor(key / keys) / heads);
  let sum = 0;
  for (let e = 0; e < dimY; e++) {
    sum += y[(b * keys + j) * dimY + e] * w[e * heads * width + g * width + c];
  }
  return sum;
}`;

/** dY = dX Wᵀ. spec (25) */
const projectFeatures = `function (dX, w, heads, keys, width, dimY) {
  const n = this.thread.x;
  const e = n % dimY;
  const place = Math.floor(n / dimY);
  const j = place % keys;
  const b = Math.floor(place / keys);
  let sum = 0;
  for (let g = 0; g < heads; g++) {
    for (let c = 0; c < width; c++) {
      sum += dX[((b * heads + g) * keys + j) * width + c] * w[e * heads * width + g * width + c];
    }
  }
  return sum;
}`;

/** dW = Yᵀ dX. spec (26) */
const projectWeights = `function (y, dX, batch, heads, keys, width, dimY) {
  const n = this.thread.x;
  const column = n % (heads * width);
  const e = Math.floor(n / (heads * width));
  const c = column % width;
  const g = Math.floor(column / width);
  let sum = 0;
  for (let b = 0; b < batch; b++) {
    for (let j = 0; j < keys; j++) {
      sum += y[(b * keys + j) * dimY + e] * dX[((b * heads + g) * keys + j) * width + c];
    }
  }
  return sum;
}`;

/** Every kernel by its name. */
export const KERNELS = {
  scores,
  rowMax,
  weights,
  rowSum,
  rowLse,
  output,
  mergeLse,
  mergeOutput,
  rowDelta,
  scoreGradient,
  softcapGradient,
  queryGradient,
  keyGradient,
  biasGradient,
  sinkGradient,
  add,
  project,
  projectFeatures,
  projectWeights,
} as const;
export type KernelName = keyof typeof KERNELS;
