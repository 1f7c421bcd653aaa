#include "resample.h"
#include <math.h>
#include <string.h>
#include <wasm_simd128.h>

/* Weights have 14 bits, so that two products fit the 32 bits of one dot product; rows between the passes keep 6 bits of fraction. */
#define WEIGHT_BITS 14
#define ROW_BITS 6
#define LANCZOS_SUPPORT 4

/** Of each value: the first stored value that it takes in, and the weights of that and the next ones, in pairs. */
typedef struct {
  int length, most;
  int *first;
  int16_t *weights;
  /** How many weights there are up to the last that is not 0; an even number. */
  int *used;
  /** What the weights add up to: less than one where a margin takes part. */
  int *sum;
} Taps;

static double lanczos(double x) {
  if (x == 0) return 1;
  if (x <= -LANCZOS_SUPPORT || x >= LANCZOS_SUPPORT) return 0;
  x *= M_PI;
  return LANCZOS_SUPPORT * sin(x) * sin(x / LANCZOS_SUPPORT) / (x * x);
}

static int clamp(int value, int most) { return value < 0 ? 0 : value > most ? most : value; }

static Taps make_taps(const Axis *axis) {
  Taps taps;
  taps.length = (axis->length + axis->each - 1) / axis->each;
  double step = axis->ratio * axis->each;
  double spread = step > 1 ? step : 1;
  taps.most = ((int)ceil(axis->lanczos ? 2 * LANCZOS_SUPPORT * spread : axis->sloped ? step + 2 : step) + 3) & ~1;
  taps.first = allocate(taps.length * sizeof(int));
  taps.sum = allocate(taps.length * sizeof(int));
  taps.used = allocate(taps.length * sizeof(int));
  taps.weights = allocate(taps.length * taps.most * sizeof(int16_t));
  double *exact = allocate(taps.most * sizeof(double));
  for (int i = 0; i < taps.length; i++) {
    int16_t *weights = taps.weights + i * taps.most;
    memset(weights, 0, taps.most * sizeof(int16_t));
    int start = i * axis->each, end = start + axis->each;
    if (end > axis->length) end = axis->length;
    double from = start + axis->offset, to = end + axis->offset;
    if (from < 0) from = 0;
    if (to > axis->scaled) to = axis->scaled;
    taps.first[i] = taps.sum[i] = taps.used[i] = 0;
    if (to <= from) continue;
    int wanted = (int)floor((1 << WEIGHT_BITS) * (to - from) / (end - start) + 0.5);
    double a = (axis->mirrored ? axis->scaled - to : from) * axis->ratio;
    double b = (axis->mirrored ? axis->scaled - from : to) * axis->ratio;
    memset(exact, 0, taps.most * sizeof(double));
    int first, last;
    if (axis->lanczos) {
      double centre = (a + b) / 2 - 0.5;
      int low = (int)ceil(centre - LANCZOS_SUPPORT * spread), high = (int)floor(centre + LANCZOS_SUPPORT * spread);
      first = clamp(low, axis->stored - 1);
      last = clamp(high, axis->stored - 1);
      for (int x = low; x <= high; x++) exact[clamp(x, axis->stored - 1) - first] += lanczos((x - centre) / spread);
    } else {
      int low = clamp((int)floor(a), axis->stored - 1), high = clamp((int)ceil(b) - 1, axis->stored - 1);
      if (high < low) high = low;
      first = axis->sloped && low > 0 ? low - 1 : low;
      last = axis->sloped && high < axis->stored - 1 ? high + 1 : high;
      for (int x = low; x <= high; x++) exact[x - first] = fmin(x + 1, b) - fmax(x, a);
      if (low == high) exact[low - first] = 1;
      else if (axis->sloped) {
        double of_low = exact[low - first], of_high = exact[high - first];
        double right = of_low * (1 - of_low) / 4, left = of_high * (1 - of_high) / 4;
        exact[low + 1 - first] += right;
        exact[(low > 0 ? low - 1 : low) - first] -= right;
        exact[high - 1 - first] += left;
        exact[last - first] -= left;
      }
    }
    double total = 0;
    for (int x = 0; x <= last - first; x++) total += exact[x];
    /* The error of rounding is carried on, so that the weights add up to what is wanted. */
    double carried = 0;
    int given = 0;
    for (int x = 0; x <= last - first; x++) {
      carried += exact[x] / total * wanted;
      int now = (int)floor(carried + 0.5);
      weights[x] = (int16_t)(now - given);
      given = now;
      if (weights[x]) taps.used[i] = (x + 2) & ~1;
    }
    taps.first[i] = first;
    taps.sum[i] = given;
  }
  return taps;
}

/** Eight values from `x` on of one row between the passes, less the margin. */
static inline void row_of(const Plane *in, const Taps *down, int y, int x, int margin, v128_t out[2]) {
  const int16_t *weights = down->weights + y * down->most;
  const uint8_t *at = in->at + down->first[y] * in->stride + x;
  const uint8_t *end = in->at + (in->height - 1) * in->stride + x;
  v128_t start = wasm_i32x4_splat((1 << (WEIGHT_BITS - ROW_BITS - 1)) - margin * down->sum[y]);
  v128_t s0 = start, s1 = start, s2 = start, s3 = start;
  for (int i = 0; i < down->used[y]; i += 2) {
    int32_t pair;
    memcpy(&pair, weights + i, 4);
    v128_t weight = wasm_i32x4_splat(pair);
    v128_t above = wasm_v128_load(at);
    at += in->stride;
    v128_t below = wasm_v128_load(at <= end ? at : end);
    at += in->stride;
    v128_t low = wasm_i8x16_shuffle(above, below, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    v128_t high = wasm_i8x16_shuffle(above, below, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    s0 = wasm_i32x4_add(s0, wasm_i32x4_dot_i16x8(wasm_u16x8_extend_low_u8x16(low), weight));
    s1 = wasm_i32x4_add(s1, wasm_i32x4_dot_i16x8(wasm_u16x8_extend_high_u8x16(low), weight));
    s2 = wasm_i32x4_add(s2, wasm_i32x4_dot_i16x8(wasm_u16x8_extend_low_u8x16(high), weight));
    s3 = wasm_i32x4_add(s3, wasm_i32x4_dot_i16x8(wasm_u16x8_extend_high_u8x16(high), weight));
  }
#define ROW_VALUE(s) wasm_i32x4_shr(s, WEIGHT_BITS - ROW_BITS)
  out[0] = wasm_i16x8_narrow_i32x4(ROW_VALUE(s0), ROW_VALUE(s1));
  out[1] = wasm_i16x8_narrow_i32x4(ROW_VALUE(s2), ROW_VALUE(s3));
}

/** Eight rows of eight values become eight columns: value x of all rows beside each other. */
static inline void store_columns(v128_t r[8], int16_t *out) {
#define LOW(a, b) wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH(a, b) wasm_i16x8_shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
  v128_t a0 = LOW(r[0], r[4]), a1 = HIGH(r[0], r[4]), b0 = LOW(r[1], r[5]), b1 = HIGH(r[1], r[5]);
  v128_t c0 = LOW(r[2], r[6]), c1 = HIGH(r[2], r[6]), d0 = LOW(r[3], r[7]), d1 = HIGH(r[3], r[7]);
  v128_t e0 = LOW(a0, c0), e1 = HIGH(a0, c0), e2 = LOW(a1, c1), e3 = HIGH(a1, c1);
  v128_t f0 = LOW(b0, d0), f1 = HIGH(b0, d0), f2 = LOW(b1, d1), f3 = HIGH(b1, d1);
  v128_t *to = (v128_t *)out;
  to[0] = LOW(e0, f0), to[1] = HIGH(e0, f0), to[2] = LOW(e1, f1), to[3] = HIGH(e1, f1);
  to[4] = LOW(e2, f2), to[5] = HIGH(e2, f2), to[6] = LOW(e3, f3), to[7] = HIGH(e3, f3);
}

void resample(const Plane *in, const Axis *across, const Axis *down, int margin, int transposed, Plane *out) {
  Taps columns = make_taps(across), rows = make_taps(down);
  /* Only the stored columns that are asked for. */
  int low = in->width, high = 0;
  for (int x = 0; x < columns.length; x++) {
    if (!columns.sum[x]) continue;
    if (columns.first[x] < low) low = columns.first[x];
    int end = columns.first[x] + columns.most;
    if (end > high) high = end;
  }
  if (high > in->width) high = in->width;
  /* Weights beyond the last column are 0; what they meet must be allocated. */
  int16_t *between = allocate(((high - low < 0 ? 0 : high - low) + 16 + columns.most) * 8 * sizeof(int16_t));
  v128_t half = wasm_i32x4_splat(1 << (WEIGHT_BITS + ROW_BITS - 1)), base = wasm_i16x8_splat(margin);
  for (int y = 0; y < rows.length; y += 8) {
    int count = rows.length - y < 8 ? rows.length - y : 8;
    for (int x = low; x < high; x += 16) {
      v128_t left[8], right[8], both[2];
      for (int i = 0; i < 8; i++) {
        row_of(in, &rows, i < count ? y + i : y, x, margin, both);
        left[i] = both[0];
        right[i] = both[1];
      }
      store_columns(left, between + (x - low) * 8);
      store_columns(right, between + (x - low + 8) * 8);
    }
    for (int x = 0; x < columns.length; x++) {
      const int16_t *weights = columns.weights + x * columns.most;
      const v128_t *at = (const v128_t *)between + (columns.first[x] - low);
      v128_t upper = half, lower = half;
      for (int i = 0; i < columns.used[x]; i++) {
        v128_t weight = wasm_i16x8_splat(weights[i]);
        upper = wasm_i32x4_add(upper, wasm_i32x4_extmul_low_i16x8(at[i], weight));
        lower = wasm_i32x4_add(lower, wasm_i32x4_extmul_high_i16x8(at[i], weight));
      }
      v128_t values = wasm_i16x8_narrow_i32x4(wasm_i32x4_shr(upper, WEIGHT_BITS + ROW_BITS), wasm_i32x4_shr(lower, WEIGHT_BITS + ROW_BITS));
      values = wasm_i16x8_add(values, base);
      values = wasm_u8x16_narrow_i16x8(values, values);
      if (transposed) {
        /* Columns of the stored picture are rows here; the allocation has room for the last eight. */
        wasm_v128_store64_lane(out->at + x * out->stride + y, values, 0);
        continue;
      }
      uint8_t *to = out->at + y * out->stride + x;
      uint64_t eight = wasm_i64x2_extract_lane(values, 0);
      for (int i = 0; i < count; i++, eight >>= 8, to += out->stride) *to = (uint8_t)eight;
    }
  }
}
