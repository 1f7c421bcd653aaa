import { createHash } from 'node:crypto';

/** Namespace of Pairmill's part names: a random UUID, fixed for good. */
const NAMESPACE = Buffer.from('6d0a3f0e4a1b4b0f9b7c5a2f1d7e9c31', 'hex');

/** UUID version 5 (RFC 9562, section 5.5) of a name: the same name gives the same UUID everywhere. */
export function nameUuid(name: string): string {
  const bytes = createHash('sha1').update(NAMESPACE).update(name).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x50;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
