import { afterAll, describe, expect, test } from 'vitest';
import { downloadOptions } from '../../../src/stages/download/options.ts';
import { PictureError } from '../../../src/stages/download/picture-error.ts';
import { PictureThread } from '../../../src/stages/download/picture-thread.ts';
import { processPicture } from '../../../src/stages/download/process-picture.ts';
import { photograph } from '../../pictures/photograph.ts';

const options = downloadOptions.parse({ minBytes: 0 });
const thread = new PictureThread(options);
afterAll(() => thread.close());
const jpeg = (await photograph(400, 300)).jpeg().toBuffer();
/** A body as the HTTP client gives it: all of its memory. */
const body = async (): Promise<Buffer> => {
  const bytes = await jpeg;
  const whole = Buffer.allocUnsafeSlow(bytes.byteLength);
  bytes.copy(whole);
  return whole;
};

describe('a thread for pictures', () => {
  test('gives what processPicture gives, however many are asked for at a time', async () => {
    const expected = await processPicture(await body(), options);
    const all = await Promise.all(Array.from({ length: 20 }, async () => thread.process(await body())));
    for (const picture of all) expect({ ...picture, bytes: Buffer.from(picture.bytes) }).toEqual({ ...expected, bytes: Buffer.from(expected.bytes) });
  });

  test('says why it takes none, and goes on', async () => {
    const refused = thread.process(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'));
    await expect(refused).rejects.toThrow(PictureError);
    await expect(refused).rejects.toMatchObject({ reason: 'not-an-image', value: 'SVG', threshold: null });
    await expect(thread.process((await body()).subarray(0, 2000))).rejects.toMatchObject({ reason: 'decode-failed' });
    expect(await thread.process(await body())).toMatchObject({ width: 256, height: 256 });
  });

  test('is handed a body that is all of its memory, and copies one that shares it', async () => {
    const whole = await body();
    await thread.process(whole);
    expect(whole.buffer.byteLength).toBe(0);
    const shared = Buffer.concat([Buffer.alloc(10), await body(), Buffer.alloc(10)]);
    expect(await thread.process(shared.subarray(10, -10))).toMatchObject({ width: 256, height: 256 });
    expect(shared.buffer.byteLength).toBeGreaterThan(0);
  });

  test('keeps bytes that need no work as they are', async () => {
    const keeping = new PictureThread({ ...options, disableAllReencoding: true });
    const { bytes } = await keeping.process(await body());
    expect(Buffer.compare(bytes, await jpeg)).toBe(0);
    await keeping.close();
  });

  test('ends when it is closed, after what it was given', async () => {
    const closing = new PictureThread(options);
    const last = closing.process(await body());
    // The picture is with the thread from the next turn on.
    await Promise.resolve();
    await Promise.all([closing.close(), expect(last).resolves.toMatchObject({ width: 256 })]);
    await expect(closing.process(await body())).rejects.toThrow('ended');
  });
});
