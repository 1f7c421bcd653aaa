/*
 * libjpeg-turbo's sequential Huffman decoder, whose private structures are needed, and a quicker loop for it: most coefficients are
 * found with run, size and value by one look at the next bits, and four bytes are read at a time. The coefficients are the same.
 */
#include "jdhuff.c"
#include <string.h>
#include "decode-mcu.h"

#define LOOK 10
/** By the next 10 bits: value << 16 | run << 8 | bits that it takes; of the end of a block the value is 0. 0: the code is longer, or says 16 zeros. */
typedef int32_t CoefficientTable[1 << LOOK];
static CoefficientTable tables[NUM_HUFF_TBLS];
static const int32_t *table_of_block[D_MAX_BLOCKS_IN_MCU];
static boolean (*decode_mcu_exactly)(j_decompress_ptr cinfo, JBLOCKROW *MCU_data);

static void fill_table(CoefficientTable table, const d_derived_tbl *derived) {
  for (int i = 0; i < 1 << LOOK; i++) {
    int code = derived->lookup[i >> (LOOK - HUFF_LOOKAHEAD)], length = code >> HUFF_LOOKAHEAD, run = (code >> 4) & 15, size = code & 15;
    table[i] = 0;
    if (length > HUFF_LOOKAHEAD || length + size > LOOK || (size == 0 && run != 0)) continue;
    int value = (i >> (LOOK - length - size)) & ((1 << size) - 1);
    if (size > 0 && value < 1 << (size - 1)) value += 1 - (1 << size);
    table[i] = (int32_t)((uint32_t)value << 16) | run << 8 | (length + size);
  }
}

/** Bits that are not used yet, the next one on top; `left` of them. */
typedef struct {
  uint64_t bits;
  int left;
  /** Of `left`, those that are behind a marker. */
  int invented;
  const uint8_t *next;
} Bits;

static inline __attribute__((always_inline)) void fill(Bits *in) {
  if (in->left >= 32) return;
  uint32_t four;
  memcpy(&four, in->next, 4);
  if (!(four & 0x80808080 & ~(four + 0x01010101))) {
    in->bits |= (uint64_t)__builtin_bswap32(four) << (32 - in->left);
    in->left += 32;
    in->next += 4;
    return;
  }
  while (in->left <= 56) {
    uint8_t byte = in->next[0];
    if (byte == 0xFF) {
      if (in->next[1] != 0) {
        in->invented += 64 - in->left;
        in->left = 64;
        return;
      }
      in->next++;
    }
    in->next++;
    in->bits |= (uint64_t)byte << (56 - in->left);
    in->left += 8;
  }
}

static inline __attribute__((always_inline)) int take(Bits *in, int count) {
  int value = (int)(in->bits >> (64 - count));
  in->bits <<= count;
  in->left -= count;
  return value;
}

static inline __attribute__((always_inline)) int take_symbol(Bits *in, const d_derived_tbl *table) {
  int code = table->lookup[in->bits >> (64 - HUFF_LOOKAHEAD)], length = code >> HUFF_LOOKAHEAD;
  if (length <= HUFF_LOOKAHEAD) {
    in->bits <<= length;
    in->left -= length;
    return code & ((1 << HUFF_LOOKAHEAD) - 1);
  }
  while ((JLONG)(in->bits >> (64 - length)) > table->maxcode[length]) length++;
  code = take(in, length);
  return length > 16 ? 0 : table->pub->huffval[(code + table->valoffset[length]) & 0xFF];
}

static inline int take_value(Bits *in, int size) {
  int value = take(in, size);
  return HUFF_EXTEND(value, size);
}

static boolean decode_mcu_by_tables(j_decompress_ptr cinfo, JBLOCKROW *MCU_data) {
  huff_entropy_ptr entropy = (huff_entropy_ptr)cinfo->entropy;
  if (entropy->pub.insufficient_data || cinfo->unread_marker != 0) return decode_mcu_exactly(cinfo, MCU_data);
  int had = entropy->bitstate.bits_left;
  Bits in = { had ? (uint64_t)entropy->bitstate.get_buffer << (64 - had) : 0, had, 0, cinfo->src->next_input_byte };
  savable_state state = entropy->saved;
  for (int i = 0; i < cinfo->blocks_in_MCU; i++) {
    JCOEF *block = *MCU_data[i];
    fill(&in);
    int size = take_symbol(&in, entropy->dc_cur_tbls[i]), component = cinfo->MCU_membership[i];
    if (size) state.last_dc_val[component] += take_value(&in, size);
    block[0] = (JCOEF)state.last_dc_val[component];
    const d_derived_tbl *derived = entropy->ac_cur_tbls[i];
    const int32_t *table = table_of_block[i];
    for (int k = 1; k < DCTSIZE2; k++) {
      fill(&in);
      int32_t found = table[in.bits >> (64 - LOOK)];
      if (found) {
        int length = found & 31;
        in.bits <<= length;
        in.left -= length;
        if (found < 1 << 16 && found >= 0) break;
        k += (found >> 8) & 15;
        block[jpeg_natural_order[k]] = (JCOEF)(found >> 16);
        continue;
      }
      int symbol = take_symbol(&in, derived);
      if (symbol & 15) {
        k += symbol >> 4;
        block[jpeg_natural_order[k]] = (JCOEF)take_value(&in, symbol & 15);
      } else if (symbol >> 4 == 15) k += 15;
      else break;
    }
  }
  size_t used = in.next - cinfo->src->next_input_byte;
  /* Beyond the end of what is there: libjpeg decides what that means. It writes the same coefficients again. */
  if (in.left < in.invented || used > cinfo->src->bytes_in_buffer) return decode_mcu_exactly(cinfo, MCU_data);
  in.left -= in.invented;
  cinfo->src->bytes_in_buffer -= used;
  cinfo->src->next_input_byte = in.next;
  entropy->bitstate.bits_left = in.left;
  entropy->bitstate.get_buffer = in.left ? in.bits >> (64 - in.left) : 0;
  entropy->saved = state;
  return TRUE;
}

void decode_by_tables(j_decompress_ptr cinfo) {
  huff_entropy_ptr entropy = (huff_entropy_ptr)cinfo->entropy;
  if (cinfo->progressive_mode || cinfo->restart_interval || cinfo->inputctl->has_multiple_scans) return;
  int filled[NUM_HUFF_TBLS] = { 0 };
  for (int i = 0; i < cinfo->blocks_in_MCU; i++) {
    int number = cinfo->cur_comp_info[cinfo->MCU_membership[i]]->ac_tbl_no;
    if (!filled[number]) fill_table(tables[number], entropy->ac_cur_tbls[i]);
    filled[number] = 1;
    table_of_block[i] = tables[number];
  }
  decode_mcu_exactly = entropy->pub.decode_mcu;
  entropy->pub.decode_mcu = decode_mcu_by_tables;
}
