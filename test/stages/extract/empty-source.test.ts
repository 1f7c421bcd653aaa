import { expect, test } from 'vitest';
import { LinkRules } from '../../../src/stages/extract/link-rules.ts';
import { extractOptions } from '../../../src/stages/extract/options.ts';

test('an image without a source is no link to its own page', () => {
  const dropped: string[] = [];
  const rules = new LinkRules(extractOptions.parse({}), 'file', undefined, (reason) => void dropped.push(reason));
  const links = ['', ' \n', 'a.png'].map((url) => ({ url, text: 'a long text' }));
  const candidates = [...rules.page({ pageUrl: 'http://page.test/', base: undefined, refusals: [], reservations: [], licence: undefined, links, offset: 0 })];
  expect(candidates.map(({ url }) => url)).toEqual(['http://page.test/a.png']);
  expect(dropped).toEqual(['url-invalid', 'url-invalid']);
});
