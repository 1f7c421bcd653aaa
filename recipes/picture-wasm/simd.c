/* Which of libjpeg-turbo's accelerated routines there are: those of its AltiVec code, by altivec.h. */
#define JPEG_INTERNALS
#include "jinclude.h"
#include "jpeglib.h"
#include "jdct.h"
#include "jsimd.h"
#include "jsimddct.h"
#include "../simd/jsimd.h"

#define YES(name) int jsimd_can_##name(void) { return 1; }
#define NO(name) int jsimd_can_##name(void) { return 0; }
YES(convsamp) YES(fdct_islow) YES(quantize) YES(idct_islow)
NO(rgb_ycc) NO(rgb_gray) NO(ycc_rgb) NO(ycc_rgb565) NO(h2v2_downsample) NO(h2v1_downsample) NO(h2v2_smooth_downsample)
NO(h2v2_upsample) NO(h2v1_upsample) NO(int_upsample) NO(h2v2_fancy_upsample) NO(h2v1_fancy_upsample) NO(h1v2_fancy_upsample)
NO(h2v2_merged_upsample) NO(h2v1_merged_upsample) NO(huff_encode_one_block) NO(encode_mcu_AC_first_prepare) NO(encode_mcu_AC_refine_prepare)
NO(convsamp_float) NO(fdct_ifast) NO(fdct_float) NO(quantize_float) NO(idct_2x2) NO(idct_4x4) NO(idct_6x6) NO(idct_12x12) NO(idct_ifast) NO(idct_float)
int jsimd_c_can_null_convert(void) { return 0; }

void jsimd_convsamp(JSAMPARRAY data, JDIMENSION column, DCTELEM *workspace) { jsimd_convsamp_altivec(data, column, workspace); }
void jsimd_fdct_islow(DCTELEM *data) { jsimd_fdct_islow_altivec(data); }
void jsimd_quantize(JCOEFPTR block, DCTELEM *divisors, DCTELEM *workspace) { jsimd_quantize_altivec(block, divisors, workspace); }
void jsimd_idct_islow(j_decompress_ptr cinfo, jpeg_component_info *component, JCOEFPTR block, JSAMPARRAY output, JDIMENSION column) {
  (void)cinfo;
  jsimd_idct_islow_altivec(component->dct_table, block, output, column);
}
