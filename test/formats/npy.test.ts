import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { npyHeader, npyShape, readNpy, readNpyBatches } from '../../src/formats/npy.ts';
import { NpyWriter } from '../../src/formats/npy-writer.ts';
import { requirePython } from '../python.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'npy-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function write(name: string, rows: number[][], type: '<f2' | '<f4', dimensions = rows[0]!.length): Promise<string> {
  const path = join(folder, name);
  const writer = await NpyWriter.open(path, dimensions, type);
  for (const row of rows) await writer.writeRow(Float32Array.from(row));
  await writer.close();
  return path;
}

describe('npy', () => {
  test('the header is a whole number of 64 bytes and does not move when the shape grows', () => {
    for (const rows of [0, 1, 9, 10, 1_000_000, 5_850_000_000]) {
      const header = npyHeader(rows, 768, '<f2');
      expect(header.length).toBe(128);
      expect(header.toString('latin1')).toContain(`'shape': (${rows}, 768)`);
    }
  });

  test("embedding-reader's expressions find shape and type", () => {
    const line = npyHeader(12_345, 512, '<f2').subarray(0, 300).toString('latin1').split('\n')[0]!;
    expect(/'shape': \(([0-9]+), ([0-9]+)\)/.exec(line)?.slice(1)).toEqual(['12345', '512']);
    expect(/'descr': '([<f0-9]+)'/.exec(line)?.[1]).toBe('<f2');
  });

  test('what was written is read again, whole and in batches', async () => {
    const rows = Array.from({ length: 7 }, (_, i) => [i, i / 8, -i]);
    for (const type of ['<f2', '<f4'] as const) {
      const path = await write(`again${type}.npy`, rows, type);
      const array = await readNpy(path);
      expect([array.rows, array.dimensions]).toEqual([7, 3]);
      expect(Array.from({ length: 7 }, (_, i) => [...array.row(i)].map((x) => x + 0))).toEqual(rows.map((row) => row.map((x) => x + 0)));
      const batches = [];
      for await (const { start, rows: batch } of readNpyBatches(path, 3)) batches.push([start, batch.length]);
      expect(batches).toEqual([
        [0, 3],
        [3, 3],
        [6, 1],
      ]);
      expect(await npyShape(path)).toEqual({ rows: 7, dimensions: 3, type });
    }
  });

  test('more rows than fit the buffer, and none at all', async () => {
    const path = join(folder, 'many.npy');
    const writer = await NpyWriter.open(path, 1000, '<f4');
    for (let i = 0; i < 600; i++) await writer.writeRow(new Float32Array(1000).fill(i));
    await writer.close();
    const array = await readNpy(path);
    expect([array.rows, array.row(599)[999], array.row(300)[0]]).toEqual([600, 599, 300]);
    expect((await readNpy(await write('none.npy', [], '<f2', 4))).rows).toBe(0);
  });

  test('a cut file, another kind of file and a wrong row are refused', async () => {
    const path = await write(
      'cut.npy',
      [
        [1, 2],
        [3, 4],
      ],
      '<f4',
    );
    await writeFile(path, (await readFile(path)).subarray(0, -3));
    await expect(readNpy(path)).rejects.toThrow(/141 bytes where its header asks for 144/);
    const other = join(folder, 'other.npy');
    await writeFile(other, 'hello, I am no array');
    await expect(readNpy(other)).rejects.toThrow(/not a NumPy array/);
    const writer = await NpyWriter.open(join(folder, 'row.npy'), 2, '<f4');
    await expect(writer.writeRow(new Float32Array(3))).rejects.toThrow(/3 values does not fit an array of 2/);
    await writer.abort();
  });

  test('the same array saved by numpy has the same bytes', async (context) => {
    const python = requirePython(context, 'numpy');
    const rows = Array.from({ length: 11 }, (_, i) => Array.from({ length: 5 }, (_, j) => Math.sin(i * 5 + j) * 10 ** (i - 6)));
    for (const [type, name] of [
      ['<f2', 'float16'],
      ['<f4', 'float32'],
    ] as const) {
      const ours = await write(`ours${name}.npy`, rows, type);
      const theirs = join(folder, `theirs${name}.npy`);
      python(`import numpy, sys, json; numpy.save(sys.argv[1], numpy.array(json.loads(sys.argv[2]), dtype=numpy.float32).astype(sys.argv[3]))`, [
        theirs,
        JSON.stringify(rows),
        name,
      ]);
      expect((await readFile(ours)).equals(await readFile(theirs))).toBe(true);
    }
  });
});
