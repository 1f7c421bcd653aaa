import { randomSource } from '../../test/random-source.ts';

/** Numbers from 0 to 1 that follow from a name, by its FNV-1a hash. */
export function randomOf(name: string): () => number {
  let seed = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) seed = Math.imul(seed ^ name.charCodeAt(i), 0x01000193);
  return randomSource(seed).next;
}
