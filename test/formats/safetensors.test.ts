import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSafetensors, safetensorsBytes } from '../../src/formats/safetensors.ts';
import { requirePython } from '../python.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'safetensors-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('safetensors', () => {
  test('reads shapes, values and metadata', async () => {
    const path = join(folder, 'a.safetensors');
    await writeFile(path, safetensorsBytes({ weight: { shape: [2, 2], data: [1, 2, 3, -4.5] }, bias: { shape: [1], data: [0.25] } }, { output: 'pflag' }));
    const { metadata, tensors } = await readSafetensors(path);
    expect(metadata).toEqual({ output: 'pflag' });
    expect(tensors.get('weight')).toEqual({ shape: [2, 2], data: Float32Array.from([1, 2, 3, -4.5]) });
    expect(tensors.get('bias')!.data[0]).toBe(0.25);
  });

  test('a cut or foreign file says what is wrong with it', async () => {
    const path = join(folder, 'cut.safetensors');
    await writeFile(path, safetensorsBytes({ weight: { shape: [2], data: [1, 2] } }, {}).subarray(0, -4));
    await expect(readSafetensors(path)).rejects.toThrow(/tensor weight of shape \[2\] does not fit/);
    await writeFile(path, 'this is a text and no tensor');
    await expect(readSafetensors(path)).rejects.toThrow(/its header would have/);
    await writeFile(path, 'abc');
    await expect(readSafetensors(path)).rejects.toThrow(/it has 3 bytes/);
  });

  test("the Python package's files in four types", async (context) => {
    const python = requirePython(context, 'safetensors', 'numpy');
    const path = join(folder, 'python.safetensors');
    python(
      `
import sys, numpy as np
from safetensors import serialize_file
t = np.array([[1.5, -2.25], [0.0, 1024.0]], dtype=np.float32)
# NumPy has no bfloat16: it is the upper half of a float32.
bytes_of = {"float16": t.astype(np.float16), "bfloat16": (t.view(np.uint32) >> 16).astype(np.uint16), "float32": t, "float64": t.astype(np.float64)}
serialize_file({d: {"dtype": d, "shape": [2, 2], "data": a.tobytes()} for d, a in bytes_of.items()}, sys.argv[1])
`,
      [path],
    );
    const { tensors } = await readSafetensors(path);
    for (const name of ['float16', 'bfloat16', 'float32', 'float64']) expect([...tensors.get(name)!.data]).toEqual([1.5, -2.25, 0, 1024]);
  });
});
