/*
 * Judge an implementation of cross-attention in C or C++: one header, C99 and its library, nothing else.
 *
 *     #include "xattn.h"
 *     static int compute(xattn_case *c, void *user) { ...; xattn_output(c, "out", "F32", out); return XATTN_OK; }
 *     int main(void) { return xattn_serve(HELLO, compute, NULL); }
 *
 * HELLO is the first line of the protocol, such as
 *     {"xattn":1,"name":"mine","supports":["forward","gqa","f32"],"profile":"f32"}
 * Run it with: npx xattn gate --candidate ./mine. attention.c is a whole example; spec/case.md of the package
 * says what a case is. Log to stderr. Little-endian machines. Nothing here is safe for threads.
 */
#ifndef XATTN_H
#define XATTN_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { XATTN_OK = 0, XATTN_UNSUPPORTED = 1, XATTN_ERROR = 2 };

/* A tensor, row-major, its numbers exactly as doubles. */
typedef struct {
  char name[24];
  int rank;
  int64_t shape[4];
  int64_t count;
  double *data;
} xattn_tensor;

/* An output to be written: bits as they are stored. */
typedef struct {
  char name[8];
  char dtype[8];
  unsigned char *bytes;
  size_t size;
} xattn_stored;

typedef struct {
  int64_t batch, heads, kv_heads, seq_q, seq_kv, head_dim, head_dim_v, dim_y; /* dim_y: 0 without features */
  double scale, softcap, dropout_rate;
  char dtype[8], causal[16], media[16]; /* causal: none, top-left, bottom-right; media: "" when there is none */
  int has_window;
  int64_t window[2]; /* -1 = unbounded */
  int64_t ranks;
  char wants[10][8];
  int want_count;
  xattn_tensor inputs[16];
  int input_count;
  xattn_stored outputs[10];
  int output_count;
  char reason[200]; /* of XATTN_UNSUPPORTED and XATTN_ERROR */
} xattn_case;

/* -- JSON: values are found by name in the text of an object; what is not there is NULL. -- */

static const char *xattn_space(const char *at) {
  while (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r') at++;
  return at;
}

/* The end of the string that begins at a quote; NULL of one that does not end. */
static const char *xattn_string_end(const char *at) {
  for (at++; *at != '"'; at++) {
    if (*at == '\0') return NULL;
    if (*at == '\\' && *++at == '\0') return NULL;
  }
  return at + 1;
}

/* The end of a value; NULL where the text is none. */
static const char *xattn_value_end(const char *at) {
  int depth = 0;
  do {
    at = xattn_space(at);
    if (*at == '\0') return NULL;
    if (*at == '"') {
      if ((at = xattn_string_end(at)) == NULL) return NULL;
    } else if (*at == '{' || *at == '[') {
      depth++, at++;
    } else if (*at == '}' || *at == ']') {
      depth--, at++;
    } else if (*at == ',' || *at == ':') {
      at++;
    } else {
      while (*at != '\0' && strchr(",:]} \t\r\n", *at) == NULL) at++;
    }
  } while (depth > 0);
  return depth == 0 ? at : NULL;
}

/* The text of a string, without its escapes; 0 where it is none, or does not fit. */
static int xattn_text(const char *at, char *to, size_t room) {
  const char *end;
  size_t n = 0;
  if (at == NULL || *at != '"' || (end = xattn_string_end(at)) == NULL) return 0;
  for (at++; at < end - 1; at++) {
    unsigned code = (unsigned char)*at;
    int escaped = *at == '\\';
    if (escaped) {
      const char *found, *from = "\"\\/bfnrt", *into = "\"\\/\b\f\n\r\t";
      if (*++at == 'u') {
        if (sscanf(at + 1, "%4x", &code) != 1) return 0;
        at += 4;
      } else if ((found = strchr(from, *at)) != NULL) {
        code = (unsigned char)into[found - from];
      } else {
        return 0;
      }
    }
    if (n + 4 >= room) return 0;
    if (code < 0x80 || !escaped) {
      to[n++] = (char)code;
    } else if (code < 0x800) {
      to[n++] = (char)(0xC0 | (code >> 6));
      to[n++] = (char)(0x80 | (code & 0x3F));
    } else {
      to[n++] = (char)(0xE0 | (code >> 12));
      to[n++] = (char)(0x80 | ((code >> 6) & 0x3F));
      to[n++] = (char)(0x80 | (code & 0x3F));
    }
  }
  to[n] = '\0';
  return 1;
}

/* The next member of an object: `*at` is behind its "{" or the member before. Returns the value, or NULL. */
static const char *xattn_member(const char **at, char *name, size_t room) {
  const char *here = xattn_space(*at), *value, *end;
  if (*here == ',') here = xattn_space(here + 1);
  if (*here != '"' || !xattn_text(here, name, room)) return NULL;
  here = xattn_space(xattn_string_end(here));
  if (*here != ':') return NULL;
  value = xattn_space(here + 1);
  if ((end = xattn_value_end(value)) == NULL) return NULL;
  *at = end;
  return value;
}

static const char *xattn_get(const char *object, const char *wanted) {
  char name[64];
  const char *at = xattn_space(object), *value;
  if (*at++ != '{') return NULL;
  while ((value = xattn_member(&at, name, sizeof name)) != NULL) {
    if (strcmp(name, wanted) == 0) return value;
  }
  return NULL;
}

static int xattn_integer(const char *object, const char *name, int64_t *to) {
  const char *value = xattn_get(object, name);
  if (value == NULL || (*value != '-' && (*value < '0' || *value > '9'))) return 0;
  *to = strtoll(value, NULL, 10);
  return 1;
}

static int xattn_number(const char *object, const char *name, double *to) {
  const char *value = xattn_get(object, name);
  if (value == NULL || (*value != '-' && (*value < '0' || *value > '9'))) return 0;
  *to = strtod(value, NULL);
  return 1;
}

/* Integers of a list, at most `most`; how many there are, or -1. */
static int xattn_integers(const char *value, int64_t *to, int most) {
  int n = 0;
  if (value == NULL || *value != '[') return -1;
  for (value = xattn_space(value + 1); *value != ']'; value = xattn_space(value)) {
    char *end;
    if (n == most) return -1;
    to[n++] = strtoll(value, &end, 10);
    if (end == value) return -1;
    value = xattn_space(end);
    if (*value == ',') value++;
  }
  return n;
}

/* -- Files -- */

static int xattn_fail(xattn_case *c, const char *what, const char *name) {
  snprintf(c->reason, sizeof c->reason, "%s %s", what, name);
  return XATTN_ERROR;
}

/* A file and a zero behind it, to be freed; NULL where it cannot be read. */
static unsigned char *xattn_file(const char *folder, const char *name, size_t *size) {
  char path[4400];
  unsigned char *bytes = NULL;
  long length;
  FILE *file;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  if ((file = fopen(path, "rb")) == NULL) return NULL;
  if (fseek(file, 0, SEEK_END) == 0 && (length = ftell(file)) >= 0 && fseek(file, 0, SEEK_SET) == 0) {
    *size = (size_t)length;
    bytes = (unsigned char *)malloc(*size + 1);
    if (bytes != NULL && fread(bytes, 1, *size, file) != *size) {
      free(bytes);
      bytes = NULL;
    }
    if (bytes != NULL) bytes[*size] = '\0';
  }
  fclose(file);
  return bytes;
}

static size_t xattn_width(const char *dtype) {
  if (strcmp(dtype, "F64") == 0 || strcmp(dtype, "I64") == 0) return 8;
  if (strcmp(dtype, "F32") == 0 || strcmp(dtype, "I32") == 0) return 4;
  if (strcmp(dtype, "F16") == 0 || strcmp(dtype, "BF16") == 0) return 2;
  return strcmp(dtype, "U8") == 0 || strcmp(dtype, "BOOL") == 0 ? 1 : 0;
}

/* The number that a float16 stands for. */
static double xattn_half(uint16_t bits) {
  int exponent = (bits >> 10) & 31, fraction = bits & 1023;
  double size = exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);
  if (exponent == 31) size = fraction ? NAN : INFINITY;
  return bits >> 15 ? -size : size;
}

static double xattn_element(const char *dtype, const unsigned char *at) {
  double f64;
  float f32;
  int64_t i64;
  int32_t i32;
  uint16_t half;
  uint32_t bits;
  switch (xattn_width(dtype)) {
    case 8:
      if (dtype[0] == 'F') return memcpy(&f64, at, 8), f64;
      return memcpy(&i64, at, 8), (double)i64;
    case 4:
      if (dtype[0] == 'F') return memcpy(&f32, at, 4), (double)f32;
      return memcpy(&i32, at, 4), (double)i32;
    case 2:
      memcpy(&half, at, 2);
      if (dtype[0] == 'F') return xattn_half(half);
      bits = (uint32_t)half << 16;
      return memcpy(&f32, &bits, 4), (double)f32;
    default:
      return *at;
  }
}

/* One entry of the header of a safetensors file; 0 where it makes no sense. */
static int xattn_entry(const char *entry, const unsigned char *body, size_t size, xattn_tensor *tensor) {
  char dtype[8];
  int64_t offsets[2];
  size_t width;
  if (!xattn_text(xattn_get(entry, "dtype"), dtype, sizeof dtype) || (width = xattn_width(dtype)) == 0) return 0;
  tensor->rank = xattn_integers(xattn_get(entry, "shape"), tensor->shape, 4);
  if (tensor->rank < 0 || xattn_integers(xattn_get(entry, "data_offsets"), offsets, 2) != 2) return 0;
  if (offsets[0] < 0 || offsets[1] < offsets[0] || (uint64_t)offsets[1] > size) return 0;
  tensor->count = 1;
  for (int n = 0; n < tensor->rank; n++) {
    if (tensor->shape[n] < 0 || (tensor->shape[n] > 0 && tensor->count > INT64_MAX / 8 / tensor->shape[n])) return 0;
    tensor->count *= tensor->shape[n];
  }
  if (tensor->count * (int64_t)width != offsets[1] - offsets[0]) return 0;
  tensor->data = (double *)malloc((size_t)tensor->count * sizeof(double) + 1);
  if (tensor->data == NULL) return 0;
  for (int64_t n = 0; n < tensor->count; n++) {
    tensor->data[n] = xattn_element(dtype, body + offsets[0] + (size_t)n * width);
  }
  return 1;
}

static int xattn_read_inputs(xattn_case *c, const char *folder) {
  size_t size = 0;
  uint64_t length;
  char *header;
  const char *at, *value;
  unsigned char *file = xattn_file(folder, "inputs.safetensors", &size);
  int status = XATTN_OK;
  if (file == NULL) return xattn_fail(c, "cannot read", "inputs.safetensors");
  memcpy(&length, file, size < 8 ? 0 : 8);
  if (size < 8 || length > size - 8 || (header = (char *)malloc((size_t)length + 1)) == NULL) {
    free(file);
    return xattn_fail(c, "cannot understand", "inputs.safetensors");
  }
  memcpy(header, file + 8, (size_t)length);
  header[length] = '\0';
  at = xattn_space(header) + 1;
  for (;;) {
    xattn_tensor *tensor = &c->inputs[c->input_count];
    char name[64];
    if ((value = xattn_member(&at, name, sizeof name)) == NULL) break;
    if (strcmp(name, "__metadata__") == 0) continue;
    if (c->input_count == 16 || strlen(name) >= sizeof tensor->name ||
        !xattn_entry(value, file + 8 + length, size - 8 - (size_t)length, tensor)) {
      status = xattn_fail(c, "cannot understand the tensor", name);
      break;
    }
    strcpy(tensor->name, name);
    c->input_count++;
  }
  free(header);
  free(file);
  return status;
}

static int xattn_read_parameters(xattn_case *c, const char *json) {
  const struct {
    const char *name;
    int64_t *to;
  } sizes[] = {{"batch", &c->batch},   {"heads", &c->heads},       {"kv_heads", &c->kv_heads},
               {"seq_q", &c->seq_q},   {"seq_kv", &c->seq_kv},     {"head_dim", &c->head_dim},
               {"head_dim_v", &c->head_dim_v}};
  const char *value;
  for (size_t n = 0; n < sizeof sizes / sizeof sizes[0]; n++) {
    if (!xattn_integer(json, sizes[n].name, sizes[n].to)) return xattn_fail(c, "case.json lacks", sizes[n].name);
  }
  xattn_integer(json, "dim_y", &c->dim_y);
  if (!xattn_number(json, "scale", &c->scale)) return xattn_fail(c, "case.json lacks", "scale");
  xattn_number(json, "softcap", &c->softcap);
  xattn_number(json, "dropout_rate", &c->dropout_rate);
  xattn_text(xattn_get(json, "dtype"), c->dtype, sizeof c->dtype);
  if (!xattn_text(xattn_get(json, "causal"), c->causal, sizeof c->causal)) strcpy(c->causal, "none");
  xattn_text(xattn_get(json, "media"), c->media, sizeof c->media);
  c->has_window = xattn_integers(xattn_get(json, "window"), c->window, 2) == 2;
  if ((value = xattn_get(json, "partition")) != NULL) xattn_integer(value, "ranks", &c->ranks);
  if ((value = xattn_get(json, "wants")) == NULL || *value++ != '[') return xattn_fail(c, "case.json lacks", "wants");
  while (c->want_count < 10 && xattn_text(value = xattn_space(value), c->wants[c->want_count], 8)) {
    c->want_count++;
    value = xattn_space(xattn_string_end(value));
    if (*value == ',') value++;
  }
  return XATTN_OK;
}

/* Is the tensor of this shape, or does it broadcast to it? */
static int xattn_has_shape(const xattn_tensor *x, int rank, const int64_t *shape, int broadcasts) {
  if (x->rank > rank || (x->rank < rank && !broadcasts)) return 0;
  for (int n = 0; n < x->rank; n++) {
    const int64_t extent = shape[n + rank - x->rank];
    if (x->shape[n] != extent && !(broadcasts && x->shape[n] == 1)) return 0;
  }
  return 1;
}

/* Whether every input has its shape, and those that must be there are. */
static int xattn_check_inputs(xattn_case *c) {
  const int64_t B = c->batch, H = c->heads, G = c->kv_heads, Q = c->seq_q, K = c->seq_kv, d = c->head_dim;
  const int64_t e = c->head_dim_v, y = c->dim_y;
  const struct {
    const char *name;
    int must, rank;
    int64_t shape[4];
    int broadcasts;
  } all[] = {{"q", 1, 4, {B, H, Q, d}, 0},
             {"k", y == 0, 4, {B, G, K, d}, 0},
             {"v", y == 0, 4, {B, G, K, e}, 0},
             {"y", y != 0, 3, {B, K, y, 0}, 0},
             {"w_k", y != 0, 2, {y, G * d, 0, 0}, 0},
             {"w_v", y != 0, 2, {y, G * e, 0, 0}, 0},
             {"d_out", 0, 4, {B, H, Q, e}, 0},
             {"d_lse", 0, 3, {B, H, Q, 0}, 0},
             {"bias", 0, 4, {B, H, Q, K}, 1},
             {"mask", 0, 4, {B, H, Q, K}, 1},
             {"kv_lengths", 0, 1, {B, 0, 0, 0}, 0},
             {"sink", 0, 1, {H, 0, 0, 0}, 0},
             {"dropout_keep", c->dropout_rate > 0, 4, {B, H, Q, K}, 1},
             {"media_text", c->media[0] != '\0', 2, {B, Q, 0, 0}, 0},
             {"media_key", c->media[0] != '\0', 2, {B, K, 0, 0}, 0}};
  if (B < 1 || H < 1 || G < 1 || Q < 1 || K < 0 || d < 1 || e < 1 || y < 0 || H % G != 0 ||
      B > INT32_MAX || H > INT32_MAX || Q > INT32_MAX || K > INT32_MAX || d > INT32_MAX || e > INT32_MAX) {
    return xattn_fail(c, "cannot understand the sizes in", "case.json");
  }
  for (size_t n = 0; n < sizeof all / sizeof all[0]; n++) {
    const xattn_tensor *x = NULL;
    for (int m = 0; m < c->input_count; m++) {
      if (strcmp(c->inputs[m].name, all[n].name) == 0) x = &c->inputs[m];
    }
    if (x == NULL ? all[n].must : !xattn_has_shape(x, all[n].rank, all[n].shape, all[n].broadcasts)) {
      return xattn_fail(c, x == NULL ? "there is no" : "wrong shape of", all[n].name);
    }
  }
  return XATTN_OK;
}

/* -- What an implementation calls -- */

/* An input by name, NULL when the case has none of it. */
static const xattn_tensor *xattn_input(const xattn_case *c, const char *name) {
  for (int n = 0; n < c->input_count; n++) {
    if (strcmp(c->inputs[n].name, name) == 0) return &c->inputs[n];
  }
  return NULL;
}

/* Is an output wanted? */
static int xattn_wants(const xattn_case *c, const char *name) {
  for (int n = 0; n < c->want_count; n++) {
    if (strcmp(c->wants[n], name) == 0) return 1;
  }
  return 0;
}

/* Element [b, h, i, j] of a tensor that broadcasts to [batch, heads, seq_q, seq_kv]. */
static double xattn_broadcast(const xattn_tensor *x, int64_t b, int64_t h, int64_t i, int64_t j) {
  const int64_t index[4] = {b, h, i, j};
  int64_t flat = 0;
  for (int n = 0; n < x->rank; n++) {
    flat = flat * x->shape[n] + (x->shape[n] == 1 ? 0 : index[n + 4 - x->rank]);
  }
  return x->data[flat];
}

/* May query i of head h attend to key j, in batch entry b? Every mask together. */
static int xattn_visible(const xattn_case *c, int64_t b, int64_t h, int64_t i, int64_t j) {
  const xattn_tensor *bias = xattn_input(c, "bias"), *mask = xattn_input(c, "mask");
  const xattn_tensor *lengths = xattn_input(c, "kv_lengths");
  const int64_t offset = strcmp(c->causal, "bottom-right") == 0 ? c->seq_kv - c->seq_q : 0;
  if (bias != NULL && xattn_broadcast(bias, b, h, i, j) == -INFINITY) return 0;
  if (mask != NULL && xattn_broadcast(mask, b, h, i, j) == 0) return 0;
  if (lengths != NULL && (double)j >= lengths->data[b]) return 0;
  if (strcmp(c->causal, "none") != 0 && j > i + offset) return 0;
  if (c->has_window && c->window[0] >= 0 && j < i + offset - c->window[0]) return 0;
  if (c->has_window && c->window[1] >= 0 && j > i + offset + c->window[1]) return 0;
  if (c->media[0] != '\0') {
    const double text = xattn_input(c, "media_text")->data[b * c->seq_q + i];
    const double key = xattn_input(c, "media_key")->data[b * c->seq_kv + j];
    return strcmp(c->media, "immediate") == 0 ? text == key : text >= key;
  }
  return 1;
}

/* Shape of an output; its rank, 0 of a name that is none. */
static int xattn_output_shape(const xattn_case *c, const char *name, int64_t shape[4]) {
  const int64_t rows[4] = {c->batch, c->heads, c->seq_q, strcmp(name, "out") == 0 ? c->head_dim_v : c->head_dim};
  const int64_t keys[4] = {c->batch, c->kv_heads, c->seq_kv, strcmp(name, "d_v") == 0 ? c->head_dim_v : c->head_dim};
  const xattn_tensor *like = NULL;
  if (strcmp(name, "out") == 0 || strcmp(name, "d_q") == 0) return memcpy(shape, rows, sizeof rows), 4;
  if (strcmp(name, "lse") == 0) return memcpy(shape, rows, 3 * sizeof rows[0]), 3;
  if (strcmp(name, "d_k") == 0 || strcmp(name, "d_v") == 0) return memcpy(shape, keys, sizeof keys), 4;
  if (strncmp(name, "d_", 2) == 0) like = xattn_input(c, name + 2);
  if (like == NULL) return 0;
  memcpy(shape, like->shape, sizeof like->shape);
  return like->rank;
}

/*
 * Hands over an output, as many elements as its shape has; `data` is copied. `dtype` is what it was computed
 * and stored in: F64 (double), F32 (float), F16 or BF16 (their bits in uint16_t). What is not wanted is dropped.
 */
static void xattn_output(xattn_case *c, const char *name, const char *dtype, const void *data) {
  xattn_stored *to = &c->outputs[c->output_count];
  int64_t shape[4];
  const int rank = xattn_output_shape(c, name, shape);
  if (rank == 0 || !xattn_wants(c, name) || c->output_count == 10) return;
  to->size = xattn_width(dtype);
  for (int n = 0; n < rank; n++) to->size *= (size_t)shape[n];
  to->bytes = (unsigned char *)malloc(to->size + 1);
  if (to->bytes == NULL) return;
  memcpy(to->bytes, data, to->size);
  snprintf(to->name, sizeof to->name, "%s", name);
  snprintf(to->dtype, sizeof to->dtype, "%s", dtype);
  c->output_count++;
}

static int xattn_write_outputs(xattn_case *c, const char *folder) {
  char header[2048] = "{", path[4400];
  size_t at = 0, length = 1;
  uint64_t padded;
  FILE *file;
  int whole = 1;
  for (int n = 0; n < c->output_count; n++) {
    const xattn_stored *one = &c->outputs[n];
    int64_t shape[4];
    const int rank = xattn_output_shape(c, one->name, shape);
    length += (size_t)snprintf(header + length, sizeof header - length, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[",
                               n ? "," : "", one->name, one->dtype);
    for (int axis = 0; axis < rank; axis++) {
      length += (size_t)snprintf(header + length, sizeof header - length, "%s%lld", axis ? "," : "", (long long)shape[axis]);
    }
    length += (size_t)snprintf(header + length, sizeof header - length, "],\"data_offsets\":[%llu,%llu]}",
                               (unsigned long long)at, (unsigned long long)(at + one->size));
    at += one->size;
  }
  header[length++] = '}';
  while (length % 8 != 0) header[length++] = ' ';
  padded = length;
  snprintf(path, sizeof path, "%s/outputs.safetensors", folder);
  if ((file = fopen(path, "wb")) == NULL) return xattn_fail(c, "cannot write", "outputs.safetensors");
  whole = fwrite(&padded, 8, 1, file) == 1 && fwrite(header, 1, length, file) == length;
  for (int n = 0; n < c->output_count; n++) {
    whole = whole && fwrite(c->outputs[n].bytes, 1, c->outputs[n].size, file) == c->outputs[n].size;
  }
  whole = fclose(file) == 0 && whole;
  return whole ? XATTN_OK : xattn_fail(c, "cannot write", "outputs.safetensors");
}

static int xattn_answer(xattn_case *c, const char *folder, int (*compute)(xattn_case *, void *), void *user) {
  size_t size = 0;
  unsigned char *json = xattn_file(folder, "case.json", &size);
  int status;
  if (json == NULL) return xattn_fail(c, "cannot read", "case.json");
  status = xattn_read_parameters(c, (const char *)json);
  free(json);
  if (status == XATTN_OK) status = xattn_read_inputs(c, folder);
  if (status == XATTN_OK) status = xattn_check_inputs(c);
  if (status == XATTN_OK) status = compute(c, user);
  return status == XATTN_OK ? xattn_write_outputs(c, folder) : status;
}

/* A text as JSON, to standard output. */
static void xattn_say(const char *text) {
  putchar('"');
  for (; *text != '\0'; text++) {
    if (*text == '"' || *text == '\\') putchar('\\');
    if ((unsigned char)*text < 0x20) printf("\\u%04x", (unsigned)*text);
    else putchar(*text);
  }
  putchar('"');
}

/* Speaks protocol 1 until standard input closes: what main returns. */
static int xattn_serve(const char *hello, int (*compute)(xattn_case *, void *), void *user) {
  static const char *const said[] = {"ok", "unsupported", "error"};
  static char line[8192], folder[4096];
  printf("%s\n", hello);
  fflush(stdout);
  while (fgets(line, sizeof line, stdin) != NULL) {
    xattn_case *c = (xattn_case *)calloc(1, sizeof *c);
    int status;
    if (c == NULL || !xattn_text(xattn_get(line, "case"), folder, sizeof folder)) {
      free(c);
      fprintf(stderr, "expected a line with \"case\", got %s", line);
      return 1;
    }
    status = xattn_answer(c, folder, compute, user);
    printf("{\"case\":");
    xattn_say(folder);
    printf(",\"status\":\"%s\"", said[status >= 0 && status <= 2 ? status : 2]);
    if (status != XATTN_OK) {
      printf(",\"reason\":");
      xattn_say(c->reason);
    }
    printf("}\n");
    fflush(stdout);
    for (int n = 0; n < c->input_count; n++) free(c->inputs[n].data);
    for (int n = 0; n < c->output_count; n++) free(c->outputs[n].bytes);
    free(c);
  }
  return 0;
}

#endif
