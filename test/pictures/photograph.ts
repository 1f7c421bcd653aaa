import sharp, { type Sharp } from 'sharp';

/**
 * A picture with what photographs have: soft gradients, hard edges, fine texture and grain, all decided by `seed`. Different in every
 * corner, so that a wrong rotation or crop shows.
 */
export async function photograph(width: number, height: number, seed = 1): Promise<Sharp> {
  let state = seed;
  const random = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
  const waves = Array.from({ length: 12 }, () => ({
    x: random() * 0.2,
    y: random() * 0.2,
    phase: random() * 7,
    weight: random() * 18,
    channel: Math.floor(random() * 3),
  }));
  const boxes = Array.from({ length: 14 }, () => ({
    x: random() * width,
    y: random() * height,
    w: random() * width * 0.3,
    h: random() * height * 0.3,
    colour: [random() * 255, random() * 255, random() * 255],
  }));
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const colour = [40 + (150 * x) / width, 60 + (140 * y) / height, 200 - (120 * (x + y)) / (width + height)];
      for (const box of boxes)
        if (x > box.x && x < box.x + box.w && y > box.y && y < box.y + box.h) for (let c = 0; c < 3; c++) colour[c] = (colour[c]! + box.colour[c]!) / 2;
      for (const wave of waves) colour[wave.channel]! += wave.weight * Math.sin(wave.x * x + wave.y * y + wave.phase);
      const grain = 12 * (random() - 0.5);
      for (let c = 0; c < 3; c++) pixels[3 * (y * width + x) + c] = Math.max(0, Math.min(255, colour[c]! + grain));
    }
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

export interface Difference {
  mean: number;
  largest: number;
}

/** Between two pictures of one size, in steps of 255. */
export async function difference(one: Uint8Array, other: Uint8Array): Promise<Difference> {
  const [a, b] = await Promise.all([one, other].map(async (bytes) => sharp(bytes).toColourspace('srgb').removeAlpha().raw().toBuffer()));
  if (a!.length !== b!.length) return { mean: 255, largest: 255 };
  let [sum, largest] = [0, 0];
  for (let i = 0; i < a!.length; i++) {
    const d = Math.abs(a![i]! - b![i]!);
    sum += d;
    if (d > largest) largest = d;
  }
  return { mean: sum / a!.length, largest };
}
