/*
 * Attention in C, forward and backward in float: put yours in the place of `attend` and `differentiate`.
 *
 *     cc -O2 -o attention attention.c -lm
 *     npx xattn gate --suite core --candidate ./attention
 */
#include "xattn.h"

static const char *const HELLO =
    "{\"xattn\":1,\"name\":\"C example\",\"profile\":\"f32\",\"supports\":[\"forward\",\"backward\",\"gqa\",\"mask\","
    "\"bias\",\"causal-top-left\",\"causal-bottom-right\",\"window\",\"media\",\"varlen\",\"dlse\",\"uneven\",\"poison\","
    "\"no-d-bias\",\"f32\",\"f16\",\"bf16\"]}";

/* What a row of queries works on. */
typedef struct {
  int64_t b, h, i, g; /* g: the head of keys and values, of all batch entries */
  int64_t row;        /* of all queries */
  float *p;           /* [seq_kv] */
} place;

static float dot(const double *a, const double *b, int64_t n) {
  float sum = 0;
  for (int64_t c = 0; c < n; c++) sum += (float)a[c] * (float)b[c];
  return sum;
}

/* Scores of a row into at->p, -inf where it does not see the key. */
static void score(const xattn_case *c, const place *at) {
  const double *q = xattn_input(c, "q")->data + at->row * c->head_dim;
  const double *k = xattn_input(c, "k")->data + at->g * c->seq_kv * c->head_dim;
  const xattn_tensor *bias = xattn_input(c, "bias");
  for (int64_t j = 0; j < c->seq_kv; j++) {
    at->p[j] = -INFINITY;
    if (!xattn_visible(c, at->b, at->h, at->i, j)) continue;
    at->p[j] = (float)c->scale * dot(q, k + j * c->head_dim, c->head_dim);
    if (bias != NULL) at->p[j] += (float)xattn_broadcast(bias, at->b, at->h, at->i, j);
  }
}

/* out and lse of a row; a row that sees nothing has 0 and -inf. */
static void attend(const xattn_case *c, const place *at, float *out, float *lse) {
  const double *v = xattn_input(c, "v")->data + at->g * c->seq_kv * c->head_dim_v;
  float m = -INFINITY, l = 0;
  score(c, at);
  for (int64_t j = 0; j < c->seq_kv; j++) m = fmaxf(m, at->p[j]);
  for (int64_t e = 0; e < c->head_dim_v; e++) out[e] = 0;
  for (int64_t j = 0; j < c->seq_kv; j++) {
    const float weight = at->p[j] == -INFINITY ? 0 : expf(at->p[j] - m);
    if (weight == 0) continue;
    l += weight;
    for (int64_t e = 0; e < c->head_dim_v; e++) out[e] += weight * (float)v[j * c->head_dim_v + e];
  }
  for (int64_t e = 0; e < c->head_dim_v && l > 0; e++) out[e] /= l;
  *lse = l > 0 ? m + logf(l) : -INFINITY;
}

/* Adds what a row gives to d_q, d_k and d_v; P comes again from the LSE. */
static void differentiate(const xattn_case *c, const place *at, const float *out, float lse, float *const d[3]) {
  const double *q = xattn_input(c, "q")->data + at->row * c->head_dim;
  const double *k = xattn_input(c, "k")->data + at->g * c->seq_kv * c->head_dim;
  const double *v = xattn_input(c, "v")->data + at->g * c->seq_kv * c->head_dim_v;
  const double *d_out = xattn_input(c, "d_out")->data + at->row * c->head_dim_v;
  const xattn_tensor *d_lse = xattn_input(c, "d_lse");
  float delta = d_lse == NULL ? 0 : (float)d_lse->data[at->row];
  for (int64_t e = 0; e < c->head_dim_v; e++) delta -= (float)d_out[e] * out[e];
  score(c, at);
  for (int64_t j = 0; j < c->seq_kv; j++) {
    float p, ds;
    if (at->p[j] == -INFINITY) continue;
    p = expf(at->p[j] - lse);
    ds = p * (dot(d_out, v + j * c->head_dim_v, c->head_dim_v) + delta) * (float)c->scale;
    for (int64_t e = 0; e < c->head_dim_v; e++) {
      d[2][(at->g * c->seq_kv + j) * c->head_dim_v + e] += p * (float)d_out[e];
    }
    for (int64_t e = 0; e < c->head_dim; e++) {
      d[0][at->row * c->head_dim + e] += ds * (float)k[j * c->head_dim + e];
      d[1][(at->g * c->seq_kv + j) * c->head_dim + e] += ds * (float)q[e];
    }
  }
}

static float *zeros(int64_t count) { return (float *)calloc((size_t)count + 1, sizeof(float)); }

static int compute(xattn_case *c, void *user) {
  const int64_t rows = c->batch * c->heads * c->seq_q, keys = c->batch * c->kv_heads * c->seq_kv;
  float *out = zeros(rows * c->head_dim_v), *lse = zeros(rows), *p = zeros(c->seq_kv);
  float *const d[3] = {zeros(rows * c->head_dim), zeros(keys * c->head_dim), zeros(keys * c->head_dim_v)};
  const int backward = xattn_input(c, "d_out") != NULL;
  (void)user;
  for (int64_t row = 0; row < rows; row++) {
    const int64_t b = row / (c->heads * c->seq_q), h = row / c->seq_q % c->heads;
    const place at = {b, h, row % c->seq_q, b * c->kv_heads + h * c->kv_heads / c->heads, row, p};
    attend(c, &at, out + row * c->head_dim_v, lse + row);
    if (backward) differentiate(c, &at, out + row * c->head_dim_v, lse[row], d);
  }
  xattn_output(c, "out", "F32", out);
  xattn_output(c, "lse", "F32", lse);
  xattn_output(c, "d_q", "F32", d[0]);
  xattn_output(c, "d_k", "F32", d[1]);
  xattn_output(c, "d_v", "F32", d[2]);
  free(out), free(lse), free(p), free(d[0]), free(d[1]), free(d[2]);
  return XATTN_OK;
}

int main(void) { return xattn_serve(HELLO, compute, NULL); }
