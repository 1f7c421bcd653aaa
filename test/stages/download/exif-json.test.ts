import { describe, expect, test } from 'vitest';
import { exifJson, exifOrientation } from '../../../src/stages/download/exif-json.ts';
import { exifBlock, manyTags } from './exif-block.ts';

/** What exifread-nocycle 3.0.1 makes of `manyTags`, its order included; with the mended reading of single bytes that exifread has. */
const expected: readonly [name: string, value: string][] = [
  ['Image ImageDescription', 'Größe “x” \u007f'],
  ['Image Make', "b'Caf\\xe9 \\'a\\' \"b\"\\n'"],
  ['Image Orientation', 'Horizontal (normal)'],
  ['Image XResolution', '72'],
  ['Image ResolutionUnit', 'Pixels/Inch'],
  ['Image YCbCrPositioning', 'Centered'],
  ['Image WhitePoint', '[1/3, 1/3, 5/0]'],
  ['Image BitsPerSample', '[8, 8, 8]'],
  ['Image Compression', 'JPEG12345'],
  ['Image Rating', '[]'],
  ['Image XPAuthor', 'Müller'],
  ['Image Tag 0xABCD', '[1, 4294967295]'],
  ['Image Tag 0xABCE', '[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, ... ]'],
  ['Image Tag 0xABCF', '[]'],
  ['Image ExifOffset', '2423'],
  ['GPS GPSVersionID', '[2, 3, 0, 0]'],
  ['GPS GPSLatitudeRef', 'N'],
  ['GPS GPSLatitude', '[52, 30, 617/50]'],
  ['GPS GPSAltitude', '34'],
  ['Image GPSInfo', '2859'],
  ['Thumbnail Compression', 'JPEG (old-style)'],
  ['Thumbnail ResolutionUnit', 'Pixels/Centimeter'],
  ['Thumbnail JPEGInterchangeFormat', '1000'],
  ['Thumbnail JPEGInterchangeFormatLength', '5000'],
  ['EXIF ExposureTime', '1/60'],
  ['EXIF FNumber', '14/5'],
  ['EXIF ExposureProgram', 'Aperture Priority'],
  ['EXIF ExifVersion', '0230'],
  ['EXIF DateTimeOriginal', '2019:05:04 03:02:01'],
  ['EXIF ComponentsConfiguration', 'YCbCr'],
  ['EXIF ExposureBiasValue', '-1/3'],
  ['EXIF MeteringMode', 'Pattern'],
  ['EXIF LightSource', '99'],
  ['EXIF Flash', 'Flash did not fire, auto mode'],
  ['EXIF SubjectArea', '[10, 20, 30, 40]'],
  ['EXIF FlashPixVersion', ''],
  ['EXIF ColorSpace', 'Uncalibrated'],
  ['Interoperability InteroperabilityIndex', 'R98'],
  ['Interoperability InteroperabilityVersion', '[48, 49, 48, 48]'],
  ['EXIF InteroperabilityOffset', '2797'],
  ['EXIF SensingMethod', 'One-chip color area'],
  ['EXIF FileSource', 'Digital Camera'],
  ['EXIF ExposureMode', 'Auto Bracket'],
  ['EXIF WhiteBalance', 'Manual'],
  ['EXIF SceneCaptureType', 'Standard'],
  ['EXIF SubjectDistanceRange', '-2'],
  ['EXIF DigitalZoomRatio', '(1.5,)'],
  ['EXIF Gamma', '[(1.0,), (1e-07,), (123456789.125,)]'],
  ['EXIF Tag 0xABC0', '-1'],
  ['EXIF Tag 0xABC1', '[-70000, 3]'],
];

describe('EXIF as JSON', () => {
  test.each([true, false])('is that of exifread (little-endian: %s)', (little) => {
    const json = exifJson(exifBlock(little, ...manyTags))!;
    expect(Object.entries(JSON.parse(json) as object)).toEqual(expected);
    expect(json).toMatch(/^\{"Image ImageDescription": "Gr\\u00f6\\u00dfe \\u201cx\\u201d \\u007f", /);
  });

  test('is empty where there is none, and null where it is damaged', () => {
    expect(exifJson(undefined)).toBe('{}');
    expect(exifJson(Buffer.from('Exif\0\0no TIFF header'))).toBeNull();
    const block = exifBlock(true, ...manyTags);
    expect(exifJson(block.subarray(0, 60))).toBeNull();
    expect(exifOrientation(block)).toBe(1);
  });

  test('directories that lead to themselves come to an end, and so do lists without one', () => {
    const looping = exifBlock(true, [[0x010f, 2, 'Maker\0']]);
    looping.writeUInt32LE(8, looping.byteLength - 6 - 4);
    expect(exifJson(looping)).toBe('{"Image Make": "Maker"}');
    const many = exifBlock(true, Array.from({ length: 4000 }, (_, i) => [0x1000 + i, 3, Array.from({ length: 900 }, () => 7)] as const).slice(0, 300));
    expect(Object.keys(JSON.parse(exifJson(many)!) as object).length).toBeLessThan(30);
  });
});
