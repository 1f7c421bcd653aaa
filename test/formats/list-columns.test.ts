import { expect, test } from 'vitest';
import { findListColumns } from '../../src/formats/list-columns.ts';

test.each([
  [['URL', 'url', 'TEXT'], 'url', 'TEXT'],
  [['Image URL', 'Alt Text', 'shop'], 'Image URL', 'Alt Text'],
  [['image-url', 'alt-text'], 'image-url', 'alt-text'],
  // A name as it is usually written comes before one that is only like it.
  [['Image Url', 'link', 'caption'], 'link', 'caption'],
  [['shop', 'price'], undefined, undefined],
])('of %j the URL is in %s and the text in %s', (columns, url, text) => {
  expect(findListColumns(columns)).toMatchObject({ url, text });
});

test('a name that is given counts alone', () => {
  expect(findListColumns(['url', 'My Link'], { url: 'my link' }).url).toBe('My Link');
  expect(findListColumns(['url'], { url: 'other' }).url).toBeUndefined();
});
