/** Shards have at least five digits, as img2dataset's. */
export function shardName(number: number): string {
  return String(number).padStart(5, '0');
}

/** The number after the highest of those names; 0 where there are none. */
export function nextShardNumber(names: Iterable<string>): number {
  let highest = -1;
  for (const name of names) highest = Math.max(highest, Number(name));
  return highest + 1;
}

/** Digits of a key after the shard's: four, as img2dataset has them for its 10,000 samples a shard, or more for larger shards. */
export function keyDigits(samplesPerShard: number): number {
  return Math.max(MIN_KEY_DIGITS, Math.ceil(Math.log10(samplesPerShard)));
}

/** The name of a sample: shard, then index; nine digits for shards of up to 10,000 samples. The only place that makes keys. */
export function sampleKey(shard: string, index: number, samplesPerShard: number): string {
  return shard + String(index).padStart(keyDigits(samplesPerShard), '0');
}

/**
 * The shards of which a key may be, for those who don't know how large shards are: the one of shards of up to 10,000 samples
 * first. The first of them that is there and holds the key is the one.
 */
export function shardsOfKey(key: string): string[] {
  const shards: string[] = [];
  for (let digits = MIN_KEY_DIGITS; key.length - digits >= MIN_SHARD_DIGITS; digits++) {
    const shard = key.slice(0, -digits);
    // Only numbers of five digits are filled up with zeros.
    if (shard.length === MIN_SHARD_DIGITS || !shard.startsWith('0')) shards.push(shard);
  }
  return shards;
}

const MIN_KEY_DIGITS = 4;
const MIN_SHARD_DIGITS = 5;
