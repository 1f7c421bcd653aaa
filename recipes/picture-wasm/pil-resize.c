/* PIL's resampling (Pillow, libImaging/Resample.c: `ImagingResample`, 8 bits a channel): the same bytes. Rows are passed in as they come, so
   that a large picture need not lie here as a whole. */
#include "resample.h"
#include <math.h>
#include <wasm_simd128.h>

#define EXPORT(name) __attribute__((export_name(#name)))
/* 8 bits of value, 2 of headroom, the rest of 32. */
#define PRECISION_BITS (32 - 8 - 2)

/** What is asked for: the picture, the size that the whole of it is resized to, and the part of that which is computed. In pixels. */
typedef struct {
  int32_t width, height, to_width, to_height, left, top, crop_width, crop_height;
  /** 0 bilinear, 1 bicubic, 2 Lanczos. */
  int32_t kernel;
  /** Filled in by `resize_begin`: the first row of the picture that is read, and how many. */
  int32_t first_row, rows;
} Resize;
static Resize job;
EXPORT(resize_address) Resize *resize_address(void) { return &job; }

/** For each value of an axis: the first stored one that it takes in, how many, and their weights. */
typedef struct {
  int *first, *count, *weights, most;
} Taps;
static Taps across, down;
static uint8_t *between;
static int rows_done;

static double sinc(double x) { return x == 0 ? 1 : sin(M_PI * x) / (M_PI * x); }

static double weigh(double x) {
  x = fabs(x);
  if (job.kernel == 0) return x < 1 ? 1 - x : 0;
  if (job.kernel == 2) return x < 3 ? sinc(x) * sinc(x / 3) : 0;
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
}

static Taps make_taps(int from, int to, int start, int length) {
  double scale = (double)from / to, spread = scale > 1 ? scale : 1, support = (job.kernel + 1) * spread;
  Taps taps;
  taps.most = (int)ceil(support) * 2 + 1;
  taps.first = allocate(length * sizeof(int));
  taps.count = allocate(length * sizeof(int));
  taps.weights = allocate(length * taps.most * sizeof(int));
  double *exact = allocate(taps.most * sizeof(double));
  for (int i = 0; i < length; i++) {
    double centre = (start + i + 0.5) * scale, total = 0;
    int first = (int)(centre - support + 0.5), end = (int)(centre + support + 0.5);
    if (first < 0) first = 0;
    if (end > from) end = from;
    for (int x = 0; x < end - first; x++) total += exact[x] = weigh((x + first - centre + 0.5) / spread);
    for (int x = 0; x < end - first; x++) {
      double fixed = exact[x] / total * (1 << PRECISION_BITS);
      taps.weights[i * taps.most + x] = (int)(fixed < 0 ? fixed - 0.5 : fixed + 0.5);
    }
    taps.first[i] = first;
    taps.count[i] = end - first;
  }
  return taps;
}

EXPORT(resize_begin) void resize_begin(void) {
  across = make_taps(job.width, job.to_width, job.left, job.crop_width);
  down = make_taps(job.height, job.to_height, job.top, job.crop_height);
  int last = job.crop_height - 1;
  job.first_row = down.first[0];
  job.rows = down.first[last] + down.count[last] - job.first_row;
  between = allocate(job.rows * job.crop_width * 3);
  rows_done = 0;
}

static inline v128_t half(void) { return wasm_i32x4_splat(1 << (PRECISION_BITS - 1)); }

/** The next rows of the picture, RGB, from `first_row` on. */
EXPORT(resize_rows) void resize_rows(const uint8_t *pixels, int count) {
  for (int y = 0; y < count; y++, pixels += job.width * 3) {
    uint8_t *out = between + rows_done++ * job.crop_width * 3;
    for (int x = 0; x < job.crop_width; x++, out += 3) {
      const uint8_t *at = pixels + across.first[x] * 3;
      const int *weights = across.weights + x * across.most;
      v128_t sum = half();
      /* Four bytes: a pixel, and one that is not used. */
      for (int i = 0; i < across.count[x]; i++, at += 3)
        sum = wasm_i32x4_add(sum, wasm_i32x4_mul(wasm_u32x4_extend_low_u16x8(wasm_u16x8_extend_low_u8x16(wasm_v128_load32_zero(at))), wasm_v128_load32_splat(weights + i)));
      sum = wasm_i32x4_shr(sum, PRECISION_BITS);
      sum = wasm_i16x8_narrow_i32x4(sum, sum);
      wasm_v128_store32_lane(out, wasm_u8x16_narrow_i16x8(sum, sum), 0);
    }
  }
}

/** RGB of crop_width x crop_height. */
EXPORT(resize_end) uint8_t *resize_end(void) {
  int line = job.crop_width * 3;
  uint8_t *result = allocate(line * job.crop_height);
  for (int y = 0; y < job.crop_height; y++) {
    const uint8_t *first = between + (down.first[y] - job.first_row) * line;
    const int *weights = down.weights + y * down.most;
    for (int x = 0; x < line; x += 16) {
      const uint8_t *at = first + x;
      v128_t a = half(), b = half(), c = half(), d = half();
      for (int i = 0; i < down.count[y]; i++, at += line) {
        v128_t weight = wasm_v128_load32_splat(weights + i), values = wasm_v128_load(at);
        v128_t low = wasm_u16x8_extend_low_u8x16(values), high = wasm_u16x8_extend_high_u8x16(values);
        a = wasm_i32x4_add(a, wasm_i32x4_mul(wasm_u32x4_extend_low_u16x8(low), weight));
        b = wasm_i32x4_add(b, wasm_i32x4_mul(wasm_u32x4_extend_high_u16x8(low), weight));
        c = wasm_i32x4_add(c, wasm_i32x4_mul(wasm_u32x4_extend_low_u16x8(high), weight));
        d = wasm_i32x4_add(d, wasm_i32x4_mul(wasm_u32x4_extend_high_u16x8(high), weight));
      }
#define VALUE(sum) wasm_i32x4_shr(sum, PRECISION_BITS)
      wasm_v128_store(result + y * line + x, wasm_u8x16_narrow_i16x8(wasm_i16x8_narrow_i32x4(VALUE(a), VALUE(b)), wasm_i16x8_narrow_i32x4(VALUE(c), VALUE(d))));
    }
  }
  return result;
}
