import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SampleWriter } from '../../src/formats/webdataset.ts';
import { Pictures } from '../../src/server/pictures.ts';

let base: string;
beforeAll(async () => void (base = await mkdtemp(join(tmpdir(), 'pairmill-pictures-'))));
afterAll(() => rm(base, { recursive: true, force: true }));

async function writeTar(folder: string, shard: string, pictures: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(folder, { recursive: true });
  const tar = await SampleWriter.open(join(folder, `${shard}.tar`));
  for (const [key, content] of Object.entries(pictures)) await tar.write(key, [['jpg', Buffer.from(content)]]);
  await tar.close();
}

async function read(pictures: Pictures, key: string): Promise<string | undefined> {
  const picture = await pictures.read(key);
  return picture && Buffer.from(picture.bytes).toString();
}

test.each([
  { samplesPerShard: 10_000, shard: '00012', index: '0345' },
  { samplesPerShard: 20_000, shard: '00012', index: '12345' },
  { samplesPerShard: 100, shard: '00012', index: '45' },
  { samplesPerShard: 10, shard: '00012', index: '5' },
  { samplesPerShard: 10_000, shard: '123456', index: '0345' },
])('with $samplesPerShard samples a shard the picture of sample $index of shard $shard is found', async ({ samplesPerShard, shard, index }) => {
  const folder = join(base, `${samplesPerShard}-${shard}`);
  await writeTar(folder, shard, { [`${shard}${index}`]: 'picture' });
  await writeTar(folder, '00000', { [`00000${index}`]: 'another' });
  const pictures = (await Pictures.open(folder))!;
  expect(await read(pictures, `${shard}${index}`)).toBe('picture');
  expect(await read(pictures, `00000${index}`)).toBe('another');
  expect(await read(pictures, `00001${index}`)).toBeUndefined();
});

test('of a tar that was made again the new pictures are read', async () => {
  const folder = join(base, 'again');
  await writeTar(folder, '00000', { '000000000': 'first', '000000001': 'second' });
  const pictures = (await Pictures.open(folder))!;
  expect(await read(pictures, '000000001')).toBe('second');
  await rm(join(folder, '00000.tar'));
  expect(await read(pictures, '000000001')).toBeUndefined();
  await writeTar(folder, '00000', { '000000001': 'the second, moved to the front' });
  expect(await read(pictures, '000000001')).toBe('the second, moved to the front');
  expect(await read(pictures, '000000000')).toBeUndefined();
});

test('what is no key reads nothing', async () => {
  const pictures = (await Pictures.open(join(base, 'again')))!;
  for (const key of ['', '1', '../000000001', '0000000a1', '0'.repeat(30)]) expect(await read(pictures, key)).toBeUndefined();
});

test('a folder that is not there has no pictures', async () => {
  expect(await Pictures.open(join(base, 'absent'))).toBeUndefined();
});

test('a key that is a path leads to a file of the folder, and nowhere else', async () => {
  const folder = join(base, 'photos');
  await mkdir(join(folder, 'summer'), { recursive: true });
  await writeFile(join(folder, 'summer', 'ä b.JPG'), 'sea');
  await writeFile(join(folder, 'notes.txt'), 'mine');
  await writeFile(join(base, 'outside.jpg'), 'secret');
  await symlink(join(base, 'outside.jpg'), join(folder, 'link.jpg'));
  await mkdir(join(base, 'photos-other'));
  await writeFile(join(base, 'photos-other', 'a.jpg'), 'secret');
  const pictures = (await Pictures.open(folder))!;
  for (const path of ['summer/ä b.JPG', 'photos/summer/ä b.JPG', join(folder, 'summer', 'ä b.JPG')]) expect(await read(pictures, path)).toBe('sea');
  for (const path of [
    '../outside.jpg',
    join(base, 'outside.jpg'),
    'link.jpg',
    'notes.txt',
    'summer',
    'absent.jpg',
    '../photos-other/a.jpg',
    'a\0.jpg',
    '.jpg/x.jpg',
  ])
    expect(await read(pictures, path)).toBeUndefined();
});
