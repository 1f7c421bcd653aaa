import { describe, expect, test } from 'vitest';
import { resizeGeometry } from '../../../src/stages/download/resize-geometry.ts';
import { requirePython } from '../../python.ts';

const modes = ['no', 'border', 'keep_ratio', 'keep_ratio_largest', 'center_crop'] as const;

describe('resize modes', () => {
  test('border fits and pads, the odd pixel below and to the right', () => {
    expect(resizeGeometry(512, 301, { imageSize: 256, resizeMode: 'border', resizeOnlyIfBigger: false })).toEqual({
      shrinks: true,
      scaled: { width: 256, height: 150 },
      margins: { left: 0, right: 0, top: 53, bottom: 53 },
      width: 256,
      height: 256,
    });
    expect(resizeGeometry(512, 303, { imageSize: 256, resizeMode: 'border', resizeOnlyIfBigger: false }).margins).toEqual({
      left: 0,
      right: 0,
      top: 52,
      bottom: 52,
    });
    expect(resizeGeometry(510, 303, { imageSize: 255, resizeMode: 'border', resizeOnlyIfBigger: false }).margins).toEqual({
      left: 0,
      right: 0,
      top: 51,
      bottom: 52,
    });
  });

  test('a picture of the right size is left alone', () => {
    for (const resizeMode of modes)
      expect(resizeGeometry(256, 256, { imageSize: 256, resizeMode, resizeOnlyIfBigger: false })).toEqual({ shrinks: false, width: 256, height: 256 });
  });

  test('no side becomes 0', () => {
    expect(resizeGeometry(10_000, 3, { imageSize: 256, resizeMode: 'keep_ratio_largest', resizeOnlyIfBigger: false })).toMatchObject({ width: 256, height: 1 });
  });

  test('the sizes are those of img2dataset', (context) => {
    const python = requirePython(context, 'img2dataset', 'cv2');
    const sizes = [
      [640, 480],
      [480, 640],
      [301, 77],
      [77, 301],
      [100, 50],
      [256, 255],
      [255, 257],
      [513, 129],
      [1, 400],
      [333, 333],
    ] as const;
    const cases = modes.flatMap((resizeMode) =>
      [false, true].flatMap((resizeOnlyIfBigger) => sizes.map(([width, height]) => ({ resizeMode, resizeOnlyIfBigger, width, height }))),
    );
    const theirs = JSON.parse(
      python(
        `
import os
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
import sys, json, io, cv2, numpy as np
from img2dataset.resizer import Resizer
out = []
for c in json.loads(sys.argv[1]):
    img = cv2.imencode(".png", np.zeros((c["height"], c["width"], 3), np.uint8))[1].tobytes()
    r = Resizer(256, c["resizeMode"], c["resizeOnlyIfBigger"])(io.BytesIO(img))
    out.append([r[1], r[2]] if r[5] is None else r[5])
print(json.dumps(out))
`,
        [JSON.stringify(cases)],
      )
        .trim()
        .split('\n')
        .at(-1)!,
    ) as unknown[];
    const ours = cases
      .map(({ width, height, ...options }) => resizeGeometry(width, height, { imageSize: 256, ...options }))
      .map(({ width, height }) => [width, height]);
    // albumentations makes sides of 0 where ours are 1, and fails.
    expect(ours.map((size, i) => (typeof theirs[i] === 'string' ? theirs[i] : size))).toEqual(theirs);
    expect(theirs.filter((each) => typeof each === 'string').length).toBeLessThan(5);
  }, 120_000);
});
