/*
 * Inverse transforms of a block of 8 x 8 to 4 x 4 or 2 x 2, each value of which is the mean of the 2 x 2 or 4 x 4 that the whole transform
 * gives: the mean of a cosine over neighbouring points is a cosine again, so that it costs less than the whole. libjpeg's own shorter
 * transforms leave the upper frequencies out instead, which is no mean.
 */
#define JPEG_INTERNALS
#include "jinclude.h"
#include "jpeglib.h"
#include "jdct.h"
#include "jsimd.h"
#include <wasm_simd128.h>

/* Weights have 13 bits of fraction, values between the passes 4. */
#define WEIGHT(x) ((short)((x) * 8192 + ((x) < 0 ? -0.5 : 0.5)))
#define ROW_BITS 4
#define BETWEEN (13 + 1 - ROW_BITS)
#define LAST (13 + 1 + ROW_BITS)
#define PAIRS(a, b) wasm_i16x8_make(a, b, a, b, a, b, a, b)
#define ROUNDED(v, bits) wasm_i32x4_shr(wasm_i32x4_add(v, wasm_i32x4_splat(1 << ((bits) - 1))), bits)

/* cos(k * pi / 16) */
#define C1 0.98078528040323043
#define C2 0.92387953251128674
#define C3 0.83146961230254524
#define C4 0.70710678118654752
#define C5 0.55557023301960218
#define C6 0.38268343236508977
#define C7 0.19509032201612825

/** What a block of one value becomes. */
static inline int one_value(const short *block, const short *table) {
  int value = (((short)(block[0] * table[0]) + 4) >> 3) + CENTERJSAMPLE;
  return value < 0 ? 0 : value > MAXJSAMPLE ? MAXJSAMPLE : value;
}

static inline int has_one_value(const v128_t *rows) {
  v128_t rest = wasm_v128_or(wasm_v128_or(wasm_v128_or(rows[1], rows[2]), wasm_v128_or(rows[3], rows[4])), wasm_v128_or(wasm_v128_or(rows[5], rows[6]), rows[7]));
  return !wasm_v128_any_true(wasm_v128_or(rest, wasm_i16x8_replace_lane(rows[0], 0, 0)));
}

/** Four means of eight frequencies, in 13 bits and twice as large: f0 with nothing, and the others in pairs. */
static inline void four_means(v128_t f0, v128_t f26, v128_t f17, v128_t f35, v128_t out[4]) {
  v128_t zero = wasm_i32x4_dot_i16x8(f0, PAIRS(WEIGHT(C4), 0));
  v128_t two = wasm_i32x4_dot_i16x8(f26, PAIRS(WEIGHT(C4 * C2), WEIGHT(-C4 * C6)));
  v128_t outer = wasm_i32x4_add(wasm_i32x4_dot_i16x8(f17, PAIRS(WEIGHT(C2 * C1), WEIGHT(-C2 * C7))), wasm_i32x4_dot_i16x8(f35, PAIRS(WEIGHT(C6 * C3), WEIGHT(-C6 * C5))));
  v128_t inner = wasm_i32x4_add(wasm_i32x4_dot_i16x8(f17, PAIRS(WEIGHT(C6 * C1), WEIGHT(-C6 * C7))), wasm_i32x4_dot_i16x8(f35, PAIRS(WEIGHT(-C2 * C3), WEIGHT(C2 * C5))));
  v128_t plus = wasm_i32x4_add(zero, two), minus = wasm_i32x4_sub(zero, two);
  out[0] = wasm_i32x4_add(plus, outer);
  out[1] = wasm_i32x4_add(minus, inner);
  out[2] = wasm_i32x4_sub(minus, inner);
  out[3] = wasm_i32x4_sub(plus, outer);
}

#define LOW(a, b) wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH(a, b) wasm_i16x8_shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15)

void jsimd_idct_4x4(j_decompress_ptr cinfo, jpeg_component_info *component, JCOEFPTR block, JSAMPARRAY output, JDIMENSION column) {
  (void)cinfo;
  const v128_t *rows = (const v128_t *)block, *table = (const v128_t *)component->dct_table;
  if (has_one_value(rows)) {
    v128_t all = wasm_u8x16_splat(one_value(block, component->dct_table));
    for (int y = 0; y < 4; y++) wasm_v128_store32_lane(output[y] + column, all, 0);
    return;
  }
  v128_t f[8], low[4], high[4], r[4];
  for (int i = 0; i < 8; i++)
    if (i != 4) f[i] = wasm_i16x8_mul(rows[i], table[i]);
  four_means(LOW(f[0], f[0]), LOW(f[2], f[6]), LOW(f[1], f[7]), LOW(f[3], f[5]), low);
  four_means(HIGH(f[0], f[0]), HIGH(f[2], f[6]), HIGH(f[1], f[7]), HIGH(f[3], f[5]), high);
  for (int i = 0; i < 4; i++) r[i] = wasm_i16x8_narrow_i32x4(ROUNDED(low[i], BETWEEN), ROUNDED(high[i], BETWEEN));
  /* Of each row the pairs of the second pass beside each other. */
  v128_t a = wasm_i16x8_shuffle(r[0], r[1], 1, 7, 9, 15, 3, 5, 11, 13), b = wasm_i16x8_shuffle(r[2], r[3], 1, 7, 9, 15, 3, 5, 11, 13);
  v128_t c = wasm_i16x8_shuffle(r[0], r[1], 2, 6, 10, 14, 0, 0, 8, 8), d = wasm_i16x8_shuffle(r[2], r[3], 2, 6, 10, 14, 0, 0, 8, 8);
#define FIRST(a, b) wasm_i64x2_shuffle(a, b, 0, 2)
#define SECOND(a, b) wasm_i64x2_shuffle(a, b, 1, 3)
  v128_t out[4];
  four_means(SECOND(c, d), FIRST(c, d), FIRST(a, b), SECOND(a, b), out);
  v128_t left = wasm_i16x8_narrow_i32x4(ROUNDED(out[0], LAST), ROUNDED(out[1], LAST));
  v128_t right = wasm_i16x8_narrow_i32x4(ROUNDED(out[2], LAST), ROUNDED(out[3], LAST));
  v128_t centre = wasm_i16x8_splat(CENTERJSAMPLE);
  v128_t columns = wasm_u8x16_narrow_i16x8(wasm_i16x8_add_sat(left, centre), wasm_i16x8_add_sat(right, centre));
  v128_t pixels = wasm_i8x16_shuffle(columns, columns, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  wasm_v128_store32_lane(output[0] + column, pixels, 0);
  wasm_v128_store32_lane(output[1] + column, pixels, 1);
  wasm_v128_store32_lane(output[2] + column, pixels, 2);
  wasm_v128_store32_lane(output[3] + column, pixels, 3);
}

/* The mean of cos((2x + 1) * u * pi / 16) over x = 0 to 3: with u = 2, 4 and 6 it is 0, over x = 4 to 7 it is the opposite. */
#define H1 0.64072886193537661
#define H3 -0.22499405578410390
#define H5 0.15033622173376136
#define H7 -0.12744889477603977

void jsimd_idct_2x2(j_decompress_ptr cinfo, jpeg_component_info *component, JCOEFPTR block, JSAMPARRAY output, JDIMENSION column) {
  (void)cinfo;
  const v128_t *rows = (const v128_t *)block, *table = (const v128_t *)component->dct_table;
  v128_t f0 = wasm_i16x8_mul(rows[0], table[0]);
  v128_t f1 = wasm_i16x8_mul(rows[1], table[1]), f3 = wasm_i16x8_mul(rows[3], table[3]);
  v128_t f5 = wasm_i16x8_mul(rows[5], table[5]), f7 = wasm_i16x8_mul(rows[7], table[7]);
  v128_t w13 = PAIRS(WEIGHT(H1), WEIGHT(H3)), w57 = PAIRS(WEIGHT(H5), WEIGHT(H7)), w0 = PAIRS(WEIGHT(C4), 0);
#define ODD(side) wasm_i32x4_add(wasm_i32x4_dot_i16x8(side(f1, f3), w13), wasm_i32x4_dot_i16x8(side(f5, f7), w57))
  v128_t even_low = wasm_i32x4_dot_i16x8(LOW(f0, f0), w0), even_high = wasm_i32x4_dot_i16x8(HIGH(f0, f0), w0);
  v128_t odd_low = ODD(LOW), odd_high = ODD(HIGH);
  v128_t r[2] = {
    wasm_i16x8_narrow_i32x4(ROUNDED(wasm_i32x4_add(even_low, odd_low), BETWEEN), ROUNDED(wasm_i32x4_add(even_high, odd_high), BETWEEN)),
    wasm_i16x8_narrow_i32x4(ROUNDED(wasm_i32x4_sub(even_low, odd_low), BETWEEN), ROUNDED(wasm_i32x4_sub(even_high, odd_high), BETWEEN)),
  };
  for (int y = 0; y < 2; y++) {
    v128_t odd = wasm_i32x4_dot_i16x8(r[y], wasm_i16x8_make(0, WEIGHT(H1), 0, WEIGHT(H3), 0, WEIGHT(H5), 0, WEIGHT(H7)));
    int side = wasm_i32x4_extract_lane(odd, 0) + wasm_i32x4_extract_lane(odd, 1) + wasm_i32x4_extract_lane(odd, 2) + wasm_i32x4_extract_lane(odd, 3);
    int middle = wasm_i16x8_extract_lane(r[y], 0) * WEIGHT(C4);
    for (int x = 0; x < 2; x++) {
      int value = ((middle + (x ? -side : side) + (1 << (LAST - 1))) >> LAST) + CENTERJSAMPLE;
      output[y][column + x] = (JSAMPLE)(value < 0 ? 0 : value > MAXJSAMPLE ? MAXJSAMPLE : value);
    }
  }
}
