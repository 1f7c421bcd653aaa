import { describe, expect, it } from 'vitest';
import { murmurHash128 } from '../../src/formats/murmur-hash.ts';
import { sampleHash } from '../../src/formats/sample-hash.ts';
import golden from './sample-hash.golden.json' with { type: 'json' };

describe('sampleHash', () => {
  it("equals Python's mmh3 on the golden vectors", () => {
    expect(golden.length).toBeGreaterThan(100);
    for (const { url, text, hash } of golden) expect(sampleHash(url, text), JSON.stringify({ url, text })).toBe(BigInt(hash));
  });

  it('has the second half too', () => {
    for (const { url, text, hash, second } of golden) {
      const key = Buffer.concat([Buffer.from(url ?? ''), Buffer.from(text ?? '')]);
      // What follows the key is not to count.
      const bytes = new Uint8Array(16 * Math.ceil(key.length / 16)).fill(255);
      bytes.set(key);
      const words = new Uint32Array(4);
      murmurHash128(bytes, new Int32Array(bytes.buffer), key.length, words);
      const halves = new BigInt64Array(words.buffer);
      expect([halves[0], halves[1]]).toEqual([BigInt(hash), BigInt(second)]);
    }
  });

  it('takes a lone surrogate as U+FFFD, not as the bytes of surrogatepass', () => {
    const lone = golden.filter((row) => 'surrogatepass' in row);
    expect(lone).toHaveLength(3);
    for (const { url, text, surrogatepass } of lone) expect(sampleHash(url, text)).not.toBe(BigInt(surrogatepass!));
    expect(sampleHash('a\ud800', 'b')).toBe(sampleHash('a\ufffd', 'b'));
  });

  it('takes texts longer than its buffer', () => {
    expect(sampleHash('x'.repeat(1_000_000), null)).toBe(sampleHash(null, 'x'.repeat(1_000_000)));
  });
});
