/* The AltiVec operations that libjpeg-turbo's PowerPC code uses, for WebAssembly's 128-bit vectors. Lanes in memory order. */
#ifndef ALTIVEC_FOR_WASM
#define ALTIVEC_FOR_WASM
#include <wasm_simd128.h>

#define __vector __attribute__((vector_size(16)))
typedef __vector short s16;
typedef __vector unsigned short u16;
typedef __vector int s32;
typedef __vector unsigned int u32;
typedef __vector signed char s8;
typedef __vector unsigned char u8;
#define OF __attribute__((overloadable, always_inline)) static inline

#define vec_add(a, b) ((a) + (b))
#define vec_sub(a, b) ((a) - (b))
#define vec_or(a, b) ((a) | (b))
#define vec_xor(a, b) ((a) ^ (b))
#define vec_mladd(a, b, c) ((a) * (b) + (c))
#define vec_sl(a, b) ((a) << (__typeof__(a))(b))
#define vec_sra(a, b) ((a) >> (__typeof__(a))(b))
#define vec_splat(a, i) __builtin_shufflevector(a, a, i, i, i, i, i, i, i, i)
#define vec_all_eq(a, zero) (!wasm_v128_any_true((v128_t)((a) ^ (zero))))

OF s16 vec_ld(int offset, const short *p) { return (s16)wasm_v128_load((const char *)p + offset); }
OF u8 vec_vsx_ld(int offset, const unsigned char *p) { return (u8)wasm_v128_load(p + offset); }
OF void vec_st(s16 a, int offset, short *p) { wasm_v128_store((char *)p + offset, (v128_t)a); }
/* One of the four: the callers write lanes 0 and 1, whatever the alignment. */
OF void vec_ste(s32 a, int offset, int *p) { __builtin_memcpy((char *)p + offset, (char *)&a + offset, 4); }

OF s16 vec_mergeh(s16 a, s16 b) { return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11); }
OF s16 vec_mergel(s16 a, s16 b) { return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15); }
OF s16 vec_mergeh(u8 a, u8 zero) { (void)zero; return (s16)wasm_u16x8_extend_low_u8x16((v128_t)a); }
OF s32 vec_unpackh(s16 a) { return (s32)wasm_i32x4_extend_low_i16x8((v128_t)a); }
OF s32 vec_unpackl(s16 a) { return (s32)wasm_i32x4_extend_high_i16x8((v128_t)a); }
OF s32 vec_msums(s16 a, s16 b, s32 c) { return (s32)wasm_i32x4_dot_i16x8((v128_t)a, (v128_t)b) + c; }
/* AltiVec cuts the upper half off; SSE2, whose results every other decoder has, saturates. */
OF s16 vec_pack(s32 a, s32 b) { return (s16)wasm_i16x8_narrow_i32x4((v128_t)a, (v128_t)b); }
OF s8 vec_packs(s16 a, s16 b) { return (s8)wasm_i8x16_narrow_i16x8((v128_t)a, (v128_t)b); }
OF u32 vec_mule(u16 a, u16 b) { return (u32)wasm_u32x4_extmul_low_u16x8((v128_t)a, (v128_t)b); }
OF u32 vec_mulo(u16 a, u16 b) { return (u32)wasm_u32x4_extmul_high_u16x8((v128_t)a, (v128_t)b); }
/* Only the upper halves of products are asked for; `mule` and `mulo` are the lower and upper lanes here. */
OF s16 vec_perm(u8 a, u8 b, u8 index) { (void)index; return (s16)__builtin_shufflevector((s16)a, (s16)b, 1, 3, 5, 7, 9, 11, 13, 15); }
OF s16 vec_perm(u16 a, u16 b, u8 index) { return vec_perm((u8)a, (u8)b, index); }
#endif
