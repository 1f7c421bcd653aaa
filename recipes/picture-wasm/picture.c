/* JPEG to JPEG of another size, and JPEG to RGB, by libjpeg-turbo: see README.md. One picture at a time; all memory goes with it. */
#include "resample.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "jpeglib.h"
#include "jerror.h"
#include "decode-mcu.h"

#define EXPORT(name) __attribute__((export_name(#name)))
#define PAGE 65536
/* As libvips: more scans are an attack. */
#define MAX_SCANS 100

extern unsigned char __heap_base;
static uint32_t used, ready;

void *allocate(uint32_t bytes) {
  uint32_t at = used;
  /* 64: rows are read and written 16 values at a time. */
  used += (bytes + 64 + 15) & ~15u;
  uint32_t size = __builtin_wasm_memory_size(0) * PAGE;
  if (used > size && (used < at || __builtin_wasm_memory_grow(0, (used - size + PAGE - 1) / PAGE) == (uint32_t)-1)) __builtin_trap();
  return (void *)at;
}
void *malloc(size_t bytes) { return allocate(bytes); }
void free(void *at) { (void)at; }

/** Errors end the call: the caller gives the picture to another decoder, and starts anew with `reserve`. */
static void fail(j_common_ptr jpeg) { (void)jpeg; __builtin_trap(); }
static void count_warnings(j_common_ptr jpeg, int level) { if (level < 0) jpeg->err->num_warnings++; }
static void nothing(j_common_ptr jpeg) { (void)jpeg; }
static void limit_scans(j_common_ptr jpeg) { if (((j_decompress_ptr)jpeg)->input_scan_number > MAX_SCANS) fail(jpeg); }

static struct jpeg_error_mgr errors;
static struct jpeg_progress_mgr progress;
static struct jpeg_decompress_struct in;
static uint8_t *input, *output;
static uint32_t output_size;

static struct jpeg_error_mgr *error_manager(void) {
  memset(&errors, 0, sizeof errors);
  errors.error_exit = fail;
  errors.emit_message = count_warnings;
  errors.output_message = nothing;
  errors.reset_error_mgr = nothing;
  return &errors;
}

/** Empties the arena; the caller writes the encoded picture where this points. */
EXPORT(reserve) uint8_t *reserve(uint32_t length) {
  used = ready = ((uint32_t)&__heap_base + 15) & ~15u;
  return input = allocate(length);
}

static struct { int32_t width, height, components, progressive, profile, hard; } header;

/** The header of the picture in `reserve`d memory; `hard` where it is not one for this code. */
EXPORT(read_header) void *read_header(uint32_t length) {
  memset(&in, 0, sizeof in);
  in.err = error_manager();
  jpeg_create_decompress(&in);
  jpeg_mem_src(&in, input, length);
  jpeg_save_markers(&in, JPEG_APP0 + 2, 12);
  jpeg_read_header(&in, TRUE);
  header.width = in.image_width;
  header.height = in.image_height;
  header.components = in.num_components;
  header.progressive = in.progressive_mode;
  header.profile = 0;
  for (jpeg_saved_marker_ptr marker = in.marker_list; marker; marker = marker->next)
    if (marker->data_length >= 12 && !memcmp(marker->data, "ICC_PROFILE", 12)) header.profile = 1;
  header.hard = in.data_precision != 8 || in.arith_code || errors.num_warnings > 0 ||
    !((in.num_components == 1 && in.jpeg_color_space == JCS_GRAYSCALE) || (in.num_components == 3 && in.jpeg_color_space == JCS_YCbCr));
  for (int i = 0; i < in.num_components && !header.hard; i++) {
    jpeg_component_info *each = &in.comp_info[i];
    /* The first component is the one in full size. */
    header.hard = in.comp_info[0].h_samp_factor % each->h_samp_factor || in.comp_info[0].v_samp_factor % each->v_samp_factor;
  }
  return &header;
}

static void start(void) {
  memset(&progress, 0, sizeof progress);
  progress.progress_monitor = limit_scans;
  in.progress = &progress;
  in.dct_method = JDCT_ISLOW;
}

/** RGB, as PIL decodes it: width x height x 3 bytes, or 0 where the picture is damaged. */
EXPORT(decode_rgb) uint8_t *decode_rgb(void) {
  start();
  in.out_color_space = JCS_RGB;
  jpeg_start_decompress(&in);
  decode_by_tables(&in);
  uint32_t stride = in.output_width * 3;
  uint8_t *pixels = allocate(stride * in.output_height);
  while (in.output_scanline < in.output_height) {
    JSAMPROW row = pixels + stride * in.output_scanline;
    jpeg_read_scanlines(&in, &row, 1);
  }
  jpeg_finish_decompress(&in);
  return errors.num_warnings ? 0 : pixels;
}

/** What is asked for; in pixels. Scaled and packed sizes, offsets and orientation are those of the picture as it is shown. */
typedef struct {
  /** Pixels of 8 that a block of the stored picture is decoded to a side. */
  int32_t block;
  int32_t scaled_width, scaled_height, width, height, offset_x, offset_y;
  /** EXIF's 1 to 8. */
  int32_t orientation;
  int32_t lanczos, quality;
} Job;
static Job job;
EXPORT(job_address) Job *job_address(void) { return &job; }

static void decode_planes(Plane planes[3]) {
  start();
  in.raw_data_out = TRUE;
  in.out_color_space = in.jpeg_color_space;
  in.do_fancy_upsampling = FALSE;
  in.scale_num = job.block;
  in.scale_denom = 8;
  jpeg_start_decompress(&in);
  decode_by_tables(&in);
  JSAMPROW rows[3][4 * DCTSIZE];
  JSAMPARRAY image[3] = { rows[0], rows[1], rows[2] };
  int lines[3];
  for (int i = 0; i < in.num_components; i++) {
    jpeg_component_info *each = &in.comp_info[i];
    lines[i] = each->v_samp_factor * each->DCT_scaled_size;
    planes[i].width = each->downsampled_width;
    planes[i].height = each->downsampled_height;
    planes[i].stride = (each->width_in_blocks * each->DCT_scaled_size + 31) & ~15;
    planes[i].at = allocate(planes[i].stride * lines[i] * (in.total_iMCU_rows + 1));
  }
  int step = in.max_v_samp_factor * in.min_DCT_scaled_size;
  for (int group = 0; in.output_scanline < in.output_height; group++) {
    for (int i = 0; i < in.num_components; i++)
      for (int y = 0; y < lines[i]; y++) rows[i][y] = planes[i].at + planes[i].stride * (group * lines[i] + y);
    jpeg_read_raw_data(&in, image, step);
  }
  jpeg_finish_decompress(&in);
}

static void resample_plane(int i, const Plane *stored, Plane *packed) {
  jpeg_component_info *each = &in.comp_info[i];
  int sideways = job.orientation >= 5;
  /* Orientation 2: mirrored left to right; 3: both; 4: top to bottom; 5 to 8: the same of the transposed picture. */
  int mirror_x = job.orientation == 2 || job.orientation == 3 || job.orientation == 6 || job.orientation == 7;
  int mirror_y = job.orientation == 3 || job.orientation == 4 || job.orientation == 7 || job.orientation == 8;
  Axis x = { job.width, i == 0 ? 1 : 2, job.offset_x, job.scaled_width, 0, 0, mirror_x, job.lanczos, each->DCT_scaled_size < DCTSIZE };
  Axis y = { job.height, i == 0 ? 1 : 2, job.offset_y, job.scaled_height, 0, 0, mirror_y, job.lanczos, each->DCT_scaled_size < DCTSIZE };
  Axis *across = sideways ? &y : &x, *down = sideways ? &x : &y;
  double wide = (double)each->h_samp_factor / in.max_h_samp_factor * each->DCT_scaled_size / DCTSIZE;
  double high = (double)each->v_samp_factor / in.max_v_samp_factor * each->DCT_scaled_size / DCTSIZE;
  across->ratio = in.image_width * wide / across->scaled;
  down->ratio = in.image_height * high / down->scaled;
  across->stored = stored->width;
  down->stored = stored->height;
  resample(stored, across, down, i == 0 ? 255 : 128, sideways, packed);
}

#define SMALL 32
static uint8_t small[SMALL * SMALL + 16];

/** Brightness of the whole picture as it is shown, in SMALL x SMALL means of an area, for perceptual hashes. `pack` fills it. */
EXPORT(small_address) uint8_t *small_address(void) { return small; }

static void shrink_brightness(const Plane *stored) {
  Job packed = job;
  job.width = job.height = job.scaled_width = job.scaled_height = SMALL;
  job.offset_x = job.offset_y = job.lanczos = 0;
  Plane out = { small, SMALL, SMALL, SMALL };
  resample_plane(0, stored, &out);
  job = packed;
}

/** To whole blocks, by the last column and row, as libjpeg does it. */
static void fill_blocks(Plane *plane) {
  int width = (plane->width + 7) & ~7, height = (plane->height + 7) & ~7;
  for (int y = 0; y < plane->height; y++) {
    uint8_t *row = plane->at + y * plane->stride;
    memset(row + plane->width, row[plane->width - 1], width - plane->width);
  }
  for (int y = plane->height; y < height; y++) memcpy(plane->at + y * plane->stride, plane->at + (plane->height - 1) * plane->stride, width);
}

static void nothing_to(j_compress_ptr jpeg) { (void)jpeg; }
static boolean full(j_compress_ptr jpeg) { fail((j_common_ptr)jpeg); return FALSE; }

void prepare_huffman_coder(void);

static void encode_planes(Plane planes[3]) {
  static struct jpeg_compress_struct out;
  memset(&out, 0, sizeof out);
  out.err = &errors;
  jpeg_create_compress(&out);
  struct jpeg_destination_mgr destination = { 0 };
  /* No picture takes more: turbojpeg's bound for 4:2:0. */
  uint32_t room = ((job.width + 15) & ~15) * ((job.height + 15) & ~15) * 3 + 2048;
  destination.next_output_byte = output = allocate(room);
  destination.free_in_buffer = room;
  destination.init_destination = destination.term_destination = nothing_to;
  destination.empty_output_buffer = full;
  out.dest = &destination;
  out.image_width = job.width;
  out.image_height = job.height;
  out.input_components = 3;
  out.in_color_space = JCS_YCbCr;
  jpeg_set_defaults(&out);
  jpeg_set_quality(&out, job.quality, TRUE);
  out.raw_data_in = TRUE;
  out.dct_method = JDCT_ISLOW;
  static int prepared;
  if (!prepared) prepare_huffman_coder();
  prepared = 1;
  jpeg_start_compress(&out, TRUE);
  JSAMPROW rows[3][2 * DCTSIZE];
  JSAMPARRAY image[3] = { rows[0], rows[1], rows[2] };
  while (out.next_scanline < out.image_height) {
    for (int i = 0; i < 3; i++) {
      int lines = i == 0 ? 16 : 8, last = ((planes[i].height + 7) & ~7) - 1, first = out.next_scanline / 16 * lines;
      for (int y = 0; y < lines; y++) rows[i][y] = planes[i].at + planes[i].stride * (first + y < last ? first + y : last);
    }
    jpeg_write_raw_data(&out, image, 16);
  }
  jpeg_finish_compress(&out);
  output_size = room - destination.free_in_buffer;
}

/** Makes the packed picture that `job` describes; 0 where the stored one is damaged. The bytes are at `packed_address`. */
EXPORT(pack) uint32_t pack(void) {
  Plane stored[3], packed[3];
  decode_planes(stored);
  if (errors.num_warnings) return 0;
  shrink_brightness(&stored[0]);
  for (int i = 0; i < 3; i++) {
    int each = i == 0 ? 1 : 2;
    packed[i].width = (job.width + each - 1) / each;
    packed[i].height = (job.height + each - 1) / each;
    packed[i].stride = (packed[i].width + 31) & ~15;
    uint32_t bytes = packed[i].stride * (packed[i].height + 16);
    packed[i].at = allocate(bytes);
    if (i < in.num_components) resample_plane(i, &stored[i], &packed[i]);
    else memset(packed[i].at, 128, bytes);
    fill_blocks(&packed[i]);
  }
  encode_planes(packed);
  return output_size;
}
EXPORT(packed_address) uint8_t *packed_address(void) { return output; }
