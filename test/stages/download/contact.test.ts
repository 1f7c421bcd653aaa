import { join } from 'node:path';
import { expect, test } from 'vitest';
import { UsageError } from '../../../src/contracts/errors.ts';
import { assertContact, checkContact, contactWarning } from '../../../src/stages/download/contact.ts';
import { downloadOptions } from '../../../src/stages/download/options.ts';
import { runDownload, temporaryFolder, writeLinks } from './run-download.ts';

const optionsOf = (given: object = {}) => downloadOptions.parse(given);

test('more than 10,000 links need a contact, and nothing is asked for before that', async () => {
  const folder = await temporaryFolder();
  const links = Array.from({ length: 10_001 }, (_, i) => ({ url: `http://none.invalid/${i}.jpg`, text: `${i}` }));
  const input = await writeLinks(join(folder, 'links.parquet'), links);
  await expect(runDownload(input, {})).rejects.toThrow(UsageError);
  await expect(runDownload(input, {})).rejects.toThrow(
    /for 10,001 links, and without a contact their owners could only block it: say with --contact whom to write to/,
  );
});

test('a smaller run is warned; a contact, or an origin on loopback, needs no warning', () => {
  expect(() => assertContact(optionsOf(), 10_000)).not.toThrow();
  expect(() => assertContact(optionsOf(), 10_001)).toThrow(UsageError);
  expect(contactWarning(optionsOf())).toEqual([expect.stringContaining('Give --contact')]);
  for (const options of [{ contact: 'https://example.org/us' }, { connectTo: ['::127.0.0.1:80'] }, { connectTo: ['a.test:80:10.0.0.1:80', '::[::1]:8080'] }]) {
    expect(() => assertContact(optionsOf(options), 1e9)).not.toThrow();
    expect(contactWarning(optionsOf(options))).toEqual([]);
  }
  // These let some requests out.
  for (const connectTo of [['a.test::127.0.0.1:80'], [':80:127.0.0.1:80'], ['::10.0.0.1:80']]) expect(contactWarning(optionsOf({ connectTo }))).toHaveLength(1);
});

test('a contact is a URL or a mail address', () => {
  for (const contact of ['https://example.org/crawler', 'http://example.org', 'us@example.org', 'mailto:us@example.org']) checkContact(contact);
  for (const contact of ['me', '', 'ftp://example.org', 'https://a.test/ x', 'https://a.test/)\r\nx: y', 'a@b c'])
    expect(() => checkContact(contact), contact).toThrow('is neither a URL nor a mail address');
});
