/* Which of libjpeg-turbo's accelerated routines there are: transforms of its AltiVec code, by altivec.h, and a Huffman coder. */
#define JPEG_INTERNALS
#include "jinclude.h"
#include "jpeglib.h"
#include "jdct.h"
#include "jsimd.h"
#include "jsimddct.h"
#include "../simd/jsimd.h"
#include <wasm_simd128.h>

#define YES(name) int jsimd_can_##name(void) { return 1; }
#define NO(name) int jsimd_can_##name(void) { return 0; }
YES(convsamp) YES(fdct_islow) YES(quantize) YES(idct_islow) YES(idct_2x2) YES(idct_4x4) YES(huff_encode_one_block)
NO(rgb_ycc) NO(rgb_gray) NO(ycc_rgb) NO(ycc_rgb565) NO(h2v2_downsample) NO(h2v1_downsample) NO(h2v2_smooth_downsample)
NO(h2v2_upsample) NO(h2v1_upsample) NO(int_upsample) NO(h2v2_fancy_upsample) NO(h2v1_fancy_upsample) NO(h1v2_fancy_upsample)
NO(h2v2_merged_upsample) NO(h2v1_merged_upsample) NO(encode_mcu_AC_first_prepare) NO(encode_mcu_AC_refine_prepare)
NO(convsamp_float) NO(fdct_ifast) NO(fdct_float) NO(quantize_float) NO(idct_6x6) NO(idct_12x12) NO(idct_ifast) NO(idct_float)
int jsimd_c_can_null_convert(void) { return 0; }

void jsimd_convsamp(JSAMPARRAY data, JDIMENSION column, DCTELEM *workspace) { jsimd_convsamp_altivec(data, column, workspace); }
void jsimd_fdct_islow(DCTELEM *data) { jsimd_fdct_islow_altivec(data); }
void jsimd_quantize(JCOEFPTR block, DCTELEM *divisors, DCTELEM *workspace) { jsimd_quantize_altivec(block, divisors, workspace); }
void jsimd_idct_islow(j_decompress_ptr cinfo, jpeg_component_info *component, JCOEFPTR block, JSAMPARRAY output, JDIMENSION column) {
  (void)cinfo;
  const v128_t *rows = (const v128_t *)block;
  v128_t rest = wasm_v128_or(wasm_v128_or(wasm_v128_or(rows[1], rows[2]), wasm_v128_or(rows[3], rows[4])), wasm_v128_or(wasm_v128_or(rows[5], rows[6]), rows[7]));
  rest = wasm_v128_or(rest, wasm_i16x8_replace_lane(rows[0], 0, 0));
  if (wasm_v128_any_true(rest)) {
    jsimd_idct_islow_altivec(component->dct_table, block, output, column);
    return;
  }
  /* One value, as many blocks of the smooth have: what both passes make of it. */
  int value = (((short)(block[0] * ((short *)component->dct_table)[0]) + 4) >> 3) + CENTERJSAMPLE;
  v128_t all = wasm_u8x16_splat(value < 0 ? 0 : value > MAXJSAMPLE ? MAXJSAMPLE : value);
  for (int y = 0; y < DCTSIZE; y++) wasm_v128_store64_lane(output[y] + column, all, 0);
}

/* The beginning of jchuff.c's working_state. */
typedef struct {
  JOCTET *next_output_byte;
  size_t free_in_buffer;
  unsigned long long put_buffer;
  int free_bits;
} Coder;

static const unsigned char natural_order[DCTSIZE2] = {
  0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6,  7,  14, 21, 28,
  35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
};
/** Of a row and a bit for each of its coefficients: the same bits in the order in which coefficients are coded. */
static unsigned long long zigzag_of[DCTSIZE][1 << DCTSIZE];

void prepare_huffman_coder(void) {
  for (int k = 0; k < DCTSIZE2; k++)
    for (int bits = 0; bits < 1 << DCTSIZE; bits++)
      if (bits >> natural_order[k] % DCTSIZE & 1) zigzag_of[natural_order[k] / DCTSIZE][bits] |= 1ull << k;
}

/** jchuff.c's encode_one_block, but that it goes from one coefficient that is not zero to the next, not through all of them. */
JOCTET *jsimd_huff_encode_one_block(void *state, JOCTET *to, JCOEFPTR block, int last_dc, c_derived_tbl *dc, c_derived_tbl *ac) {
  Coder *coder = state;
  unsigned long long buffer = coder->put_buffer;
  int room = coder->free_bits;
#define PUT(given, length) { \
  unsigned long long code = (unsigned)(given); \
  int size = (length); \
  room -= size; \
  if (room >= 0) buffer = buffer << size | code; \
  else { \
    buffer = buffer << (size + room) | code >> -room; \
    unsigned long long bytes = __builtin_bswap64(buffer); \
    if (buffer & 0x8080808080808080 & ~(buffer + 0x0101010101010101)) { \
      for (int i = 0; i < 64; i += 8) { \
        JOCTET byte = (JOCTET)(bytes >> i); \
        *to++ = byte; \
        if (byte == 0xFF) *to++ = 0; \
      } \
    } else { \
      __builtin_memcpy(to, &bytes, 8); \
      to += 8; \
    } \
    room += 64; \
    buffer = code; \
  } \
}
#define PUT_VALUE(symbol_table, symbol, value, bits) { \
  unsigned low = ((value) + ((value) >> 31)) & ((1u << (bits)) - 1); \
  PUT(low | symbol_table->ehufco[symbol] << (bits), (bits) + symbol_table->ehufsi[symbol]) \
}
#define BITS(value) ((value) == 0 ? 0 : 32 - __builtin_clz((value) < 0 ? -(value) : (value)))

  int difference = block[0] - last_dc;
  int bits = BITS(difference);
  PUT_VALUE(dc, bits, difference, bits)

  const v128_t *rows = (const v128_t *)block, zero = wasm_i16x8_splat(0);
  unsigned long long present = 0;
  for (int row = 0; row < 8; row += 2) {
    v128_t zeros = wasm_i8x16_narrow_i16x8(wasm_i16x8_eq(rows[row], zero), wasm_i16x8_eq(rows[row + 1], zero));
    unsigned nonzero = ~wasm_i8x16_bitmask(zeros);
    present |= zigzag_of[row][nonzero & 0xFF] | zigzag_of[row + 1][(nonzero >> 8) & 0xFF];
  }
  present &= ~1ull;
  int last = 0;
  while (present) {
    int k = __builtin_ctzll(present);
    present &= present - 1;
    int run = k - last - 1;
    last = k;
    for (; run >= 16; run -= 16) PUT(ac->ehufco[0xF0], ac->ehufsi[0xF0])
    int value = block[natural_order[k]];
    int length = BITS(value);
    PUT_VALUE(ac, run << 4 | length, value, length)
  }
  if (last < DCTSIZE2 - 1) PUT(ac->ehufco[0], ac->ehufsi[0])

  coder->put_buffer = buffer;
  coder->free_bits = room;
  return to;
}
