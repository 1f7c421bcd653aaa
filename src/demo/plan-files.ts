// Files that are no good, or no picture, or nearly the same picture again; and what is wrong shows only in the bytes.

import sharp from 'sharp';
import { hugePng } from './huge-png.ts';
import type { Kind } from './kinds.ts';
import { extensions, specifyPicture } from './plan-pictures.ts';
import { drawPicture, encode, pictureSvg, renderPicture, smallestFile } from './render-picture.ts';
import type { Random } from './random.ts';
import { addRoute, addSubjectLink, newUrl, pickSubject, repeat } from './web-plan.ts';
import type { PlantedFile, Subject, WebPlan } from './web-plan.ts';

interface Planted {
  /** A link's own file, up to this many; further links serve these again. */
  most: number;
  plant(random: Random, index: number, subject: Subject): { file: string; type: string; build: PlantedFile['build'] };
}

function planPlanted(web: WebPlan, kind: Kind, { most, plant }: Planted): void {
  const made: { file: string; type: string; subject: Subject }[] = [];
  repeat(web, kind, (random, index) => {
    const earlier = index < most ? undefined : made[index % most];
    // A caption fits its picture also where the same file is served once more.
    const subject = pickSubject(web, random, earlier?.subject.picture);
    let served = earlier;
    if (served === undefined) {
      const { build, ...file } = plant(random, index, subject);
      served = { ...file, subject };
      made.push(served);
      web.planted.push({ file: file.file, build });
    }
    const raw = newUrl(web, random, subject, { extension: extensions[subject.picture.format], extensionMatters: true });
    addRoute(web, raw, { answer: 'file', file: served.file, type: served.type });
    addSubjectLink(web, kind, subject, raw, { picture: served.file });
  });
}

/** The same picture a little smaller or larger, encoded again. */
const nearDuplicate: Planted = {
  most: 400,
  plant(random, index, { picture }) {
    const file = `near-duplicate-${index}.jpg`;
    const scale = random.pick([0.94, 0.97, 1, 1.04]);
    const quality = random.integer(78, 90);
    const width = Math.round(picture.width * scale);
    return {
      file,
      type: 'image/jpeg',
      build: async (read) => {
        const original = await read(picture.file);
        for (const q of [quality, 96, 100]) {
          const bytes = await encode(sharp(original).resize({ width }), 'jpeg', q);
          if (bytes.length >= smallestFile) return bytes;
        }
        // Flat colours at full size are small in any JPEG: bytes behind the picture's end do not change it.
        return Buffer.concat([await encode(sharp(original), 'jpeg', 100), Buffer.alloc(smallestFile)]);
      },
    };
  },
};

/** Icons and spacers: valid, and too small to be worth a caption. */
const tinyFile: Planted = {
  most: 100,
  plant(random, index, { picture }) {
    const format = random.pick(['jpeg', 'png', 'webp'] as const);
    const file = `tiny-${index}.${extensions[format]}`;
    const side = random.integer(24, 56);
    const spec = specifyPicture(random, picture.drawing, { file, format, width: side, height: side, style: 'plain', quality: 70 });
    return {
      file,
      type: `image/${format}`,
      build: async () => {
        const bytes = await encode(drawPicture(spec), format, 70);
        if (bytes.length >= smallestFile) throw new Error(`${file} is not tiny`);
        return bytes;
      },
    };
  },
};

/** A header with noise behind it: it says that it is a picture, and no decoder opens it. */
const brokenImage: Planted = {
  most: 30,
  plant(random, index) {
    const noise = Buffer.from(Array.from({ length: random.integer(6000, 12000) }, () => random.integer(0, 255)));
    const signatures = [[0xff, 0xd8, 0xff, 0xe0], [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a], [...Buffer.from('RIFF\0\x10\0\0WEBPVP8 ', 'latin1')]];
    const bytes = Buffer.concat([Buffer.from(signatures[index % signatures.length]!), noise]);
    return { file: `broken-${index}.jpg`, type: 'image/jpeg', build: async () => bytes };
  },
};

/** A picture whose upload was cut: the header promises more than the body holds. */
const truncatedImage: Planted = {
  most: 40,
  plant(random, index, { picture }) {
    // Not WebP, whose length stands in its first bytes: a cut one has no valid header.
    const format = random.pick(['jpeg', 'png'] as const);
    const file = `truncated-${index}.${extensions[format]}`;
    const spec = specifyPicture(random, picture.drawing, { file, format, width: 400, height: 400, style: 'noise', quality: 96 });
    const share = 0.45 + 0.3 * random.next();
    return {
      file,
      type: `image/${format}`,
      build: async () => {
        const whole = await renderPicture({ ...spec, background: { ...spec.background, grain: 4 } });
        return whole.subarray(0, Math.max(smallestFile + 200, Math.floor(whole.length * share)));
      },
    };
  },
};

/** 20000 x 20000 pixels in fifty kilobytes; the web has one such file, under several URLs. */
const pixelBomb: Planted = {
  most: 1,
  plant: () => ({ file: 'pixel-bomb.png', type: 'image/png', build: () => hugePng(20_000, 20_000) }),
};

const svgContent: Planted = {
  most: 40,
  plant(random, index, { picture }) {
    const file = `content-${index}.svg`;
    const spec = specifyPicture(random, picture.drawing, { file, format: 'png', width: 320, height: 320, style: 'stripes' });
    // Longer than a placeholder, so that its content is what gives it away.
    const filler = `<!-- ${'drawn by hand '.repeat(400)}-->`;
    return { file, type: random.pick(['image/svg+xml', 'image/jpeg']), build: async () => Buffer.concat([pictureSvg(spec), Buffer.from(filler)]) };
  },
};

const gifContent: Planted = {
  most: 40,
  plant(random, index, { picture }) {
    const file = `content-${index}.gif`;
    const spec = specifyPicture(random, picture.drawing, { file, format: 'png', width: 300, height: 300, style: 'noise' });
    return { file, type: random.pick(['image/gif', 'image/jpeg']), build: () => drawPicture(spec).gif().toBuffer() };
  },
};

export function planFiles(web: WebPlan): void {
  planPlanted(web, 'near-duplicate', nearDuplicate);
  planPlanted(web, 'tiny-file', tinyFile);
  planPlanted(web, 'broken-image', brokenImage);
  planPlanted(web, 'truncated-image', truncatedImage);
  planPlanted(web, 'pixel-bomb', pixelBomb);
  planPlanted(web, 'svg-content', svgContent);
  planPlanted(web, 'gif-content', gifContent);
}
