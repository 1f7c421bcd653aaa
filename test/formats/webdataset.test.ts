import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { indexTar, readSamples, SampleWriter } from '../../src/formats/webdataset.ts';
import { requirePython } from '../python.ts';

/** Importing webdataset takes seconds where its torch is cold. */
const PYTHON_TIMEOUT = 60_000;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pairmill-webdataset-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

async function writeExample(name: string, count = 20): Promise<string> {
  const path = join(folder, name);
  const writer = await SampleWriter.open(path);
  for (let i = 0; i < count; i++) {
    // Sizes around the block size of 512, and one larger than any buffer on the way.
    const bytes = new Uint8Array(i === 7 ? 3_000_000 : 509 + i).fill(i);
    await writer.write(String(i).padStart(9, '0'), [
      ['jpg', bytes],
      ['txt', text(`Bild ${i} – 猫`)],
      ['json', text(`{"n": ${i}}`)],
    ]);
  }
  await writer.close();
  return path;
}

async function collect(path: string): Promise<{ key: string; members: Map<string, Uint8Array> }[]> {
  const samples = [];
  for await (const sample of readSamples(path)) samples.push(sample);
  return samples;
}

describe('webdataset tars', () => {
  test('reads back what was written, in order', async () => {
    const samples = await collect(await writeExample('round.tar'));
    expect(samples.map(({ key }) => key)).toEqual(Array.from({ length: 20 }, (_, i) => String(i).padStart(9, '0')));
    expect([...samples[3]!.members.keys()]).toEqual(['jpg', 'txt', 'json']);
    expect(samples[7]!.members.get('jpg')!.byteLength).toBe(3_000_000);
    expect(new TextDecoder().decode(samples[19]!.members.get('txt'))).toBe('Bild 19 – 猫');
  });

  test('the same samples give the same bytes', async () => {
    const [a, b] = [await readFile(await writeExample('a.tar')), await readFile(await writeExample('b.tar'))];
    expect(a.equals(b)).toBe(true);
    // USTAR header of the first member: name, mode, size, time, magic, owner.
    expect(a.toString('latin1', 0, 13)).toBe('000000000.jpg');
    expect(a.toString('latin1', 100, 107)).toBe('000444 ');
    expect(a.toString('latin1', 136, 147)).toBe('00000000000');
    expect(a.toString('latin1', 257, 265)).toBe('ustar\u000000');
    expect(a.toString('latin1', 265, 272)).toBe('bigdata');
  });

  test('the index finds every member without reading the others', async () => {
    const path = await writeExample('index.tar');
    const [file, index] = [await readFile(path), await indexTar(path)];
    expect(index.size).toBe(60);
    const { offset, size } = index.get('000000019.txt')!;
    expect(file.toString('utf8', offset, offset + size)).toBe('Bild 19 – 猫');
  });

  test('an empty tar has no samples', async () => {
    expect(await collect(await writeExample('empty.tar', 0))).toEqual([]);
  });

  test('a cut tar is an error that names the file', async () => {
    const path = await writeExample('cut.tar');
    await truncate(path, (await stat(path)).size - 5000);
    await expect(collect(path)).rejects.toThrow(/cut\.tar is not a whole tar file/);
    await expect(indexTar(path)).rejects.toThrow(/cut\.tar is not a whole tar file/);
  });

  test('a missing file and a file of other content are errors', async () => {
    await expect(collect(join(folder, 'none.tar'))).rejects.toThrow(/none\.tar/);
    const other = join(folder, 'other.tar');
    await writeFile(other, 'x'.repeat(2000));
    await expect(collect(other)).rejects.toThrow(/other\.tar is not a whole tar file/);
  });

  test('a key with a dot and a repeated suffix are refused', async () => {
    const path = join(folder, 'twice.tar');
    const writer = await SampleWriter.open(path);
    await expect(writer.write('a.b', [])).rejects.toThrow(/dot/);
    await writer.write('a', [['txt', text('1')]]);
    await writer.write('a', [['txt', text('2')]]);
    await writer.close();
    await expect(collect(path)).rejects.toThrow(/occurs twice/);
  });

  test('a reader that stops early leaves nothing open', async () => {
    for await (const sample of readSamples(await writeExample('early.tar'))) {
      expect(sample.key).toBe('000000000');
      break;
    }
  });

  test('writing to a full disk is an error, not a hang', async () => {
    const writer = await SampleWriter.open('/dev/full');
    const bytes = new Uint8Array(2_000_000);
    await expect(
      (async () => {
        for (let i = 0; i < 20; i++) await writer.write(String(i), [['bin', bytes]]);
        await writer.close();
      })(),
    ).rejects.toThrow(/ENOSPC/);
    await writer.abort();
  });

  test(
    "Python's webdataset reads it",
    async (context) => {
      const python = requirePython(context, 'webdataset');
      const path = await writeExample('python.tar');
      const samples = python(
        `
import sys, json, webdataset
for s in webdataset.WebDataset(sys.argv[1], shardshuffle=False):
    print(json.dumps([s["__key__"], len(s["jpg"]), s["txt"].decode(), json.loads(s["json"])["n"]]))
`,
        [path],
      )
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown[]);
      expect(samples).toHaveLength(20);
      expect(samples[7]).toEqual(['000000007', 3_000_000, 'Bild 7 – 猫', 7]);
    },
    PYTHON_TIMEOUT,
  );

  test(
    "reads what Python's webdataset and tarfile write",
    async (context) => {
      const python = requirePython(context, 'webdataset');
      const [byWriter, byTarfile] = [join(folder, 'peer.tar'), join(folder, 'pax.tar')];
      python(
        `
import sys, io, tarfile, webdataset
with webdataset.TarWriter(sys.argv[1]) as sink:
    for i in range(3):
        sink.write({"__key__": "%09d" % i, "txt": "text %d" % i, "json": {"n": i}})
with tarfile.open(sys.argv[2], "w", format=tarfile.PAX_FORMAT) as tar:
    for name in ["a/" + "long" * 40 + ".txt", "__meta__", "dir/x.seg.PNG", "dir/x.png"]:
        info = tarfile.TarInfo(name)
        info.size = 3
        tar.addfile(info, io.BytesIO(b"abc"))
`,
        [byWriter, byTarfile],
      );
      expect((await collect(byWriter)).map(({ key, members }) => [key, new TextDecoder().decode(members.get('txt'))])).toEqual([
        ['000000000', 'text 0'],
        ['000000001', 'text 1'],
        ['000000002', 'text 2'],
      ]);
      expect((await collect(byTarfile)).map(({ key, members }) => [key, [...members.keys()]])).toEqual([
        [`a/${'long'.repeat(40)}`, ['txt']],
        ['dir/x', ['seg.png', 'png']],
      ]);
      const file = await readFile(byTarfile);
      for (const { offset } of (await indexTar(byTarfile)).values()) expect(file.toString('latin1', offset, offset + 3)).toBe('abc');
    },
    PYTHON_TIMEOUT,
  );
});
