#include <stdint.h>

/** Values of a plane: one byte each. Rows may be read 16 bytes beyond `width`. */
typedef struct {
  uint8_t *at;
  int stride, width, height;
} Plane;

/** How one axis of a packed plane comes from one of the stored picture's. Lengths in pixels of the scaled picture where nothing else is said. */
typedef struct {
  /** Length of the packed picture, and how many of its pixels one value stands for (2 for colour in 4:2:0). */
  int length, each;
  /** Where the packed picture begins on the scaled one: below 0 with a margin, above with a crop. */
  int offset;
  int scaled;
  /** Stored values that one pixel of the scaled picture stands for, and how many there are. */
  double ratio;
  int stored;
  int mirrored, lanczos;
  /** Stored values are means of several: within one that is taken in part, values rise or fall as its neighbours say. */
  int sloped;
} Axis;

/** `out[y][x]`, or `out[x][y]` where `transposed`, of `in`: separable, in integers, the same on every machine. What lies beyond the picture is `margin`. */
void resample(const Plane *in, const Axis *across, const Axis *down, int margin, int transposed, Plane *out);

/** From the arena, which is emptied with each picture. */
void *allocate(uint32_t bytes);
