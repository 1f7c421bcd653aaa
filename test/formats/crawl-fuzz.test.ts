import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { DamageCount } from '../../src/formats/warc-record.ts';
import { readWarc } from '../../src/formats/warc.ts';
import { WatScanner } from '../../src/formats/wat-page.ts';
import { sharedData } from '../local-paths.ts';
import { image, pieces, record, watJson } from './crawl-bytes.ts';
import { randomSource } from '../random-source.ts';

/**
 * Structured fuzzing for a bounded time: crawl files are damaged in ways that crawls are, and worse. What was not
 * touched must be read, damage must be counted, and nothing may throw. A case that fails is reported with its seed and
 * becomes a test of its own below.
 */
const BUDGET_MS = Number(process.env['PAIRMILL_FUZZ_SECONDS'] ?? 3) * 1000;
const FIRST_SEED = Number(process.env['PAIRMILL_FUZZ_SEED'] ?? 1);

type Random = ReturnType<typeof randomSource>;

async function readUrls(
  bytes: Buffer,
  piece: number,
  maxRecordBytes = 300_000,
): Promise<{ urls: Set<string>; damage: DamageCount['counts']; records: number }> {
  const damage = new DamageCount();
  const urls = new Set<string>();
  let records = 0;
  for await (const batch of readWarc(pieces(bytes, piece), { maxRecordBytes, damage })) {
    const scanner = new WatScanner(batch.bytes, 'image');
    for (const each of batch.records) {
      records++;
      const page = scanner.read(each);
      if (page && 'damaged' in page) damage.add(page.damaged);
      else for (const { url } of page?.links ?? []) urls.add(url);
    }
  }
  return { urls, damage: damage.counts, records };
}

const noise = (random: Random, length: number): Buffer => Buffer.from(Array.from({ length }, () => random.below(256)));

const mutations: readonly ((bytes: Buffer, random: Random) => Buffer)[] = [
  (bytes, random) => {
    const changed = Buffer.from(bytes);
    for (let i = 0; i <= random.below(4); i++) changed[random.below(changed.length)]! ^= 1 << random.below(8);
    return changed;
  },
  (bytes, random) => bytes.subarray(0, random.below(bytes.length)),
  (bytes, random) => bytes.subarray(random.below(bytes.length)),
  (bytes, random) => Buffer.concat([bytes.subarray(0, bytes.length >> 1), noise(random, random.below(300)), bytes.subarray(bytes.length >> 1)]),
  (_, random) => noise(random, random.below(2000)),
  (_, random) => Buffer.alloc(random.below(3000)),
  (bytes, random) => Buffer.concat([Buffer.from([0x1f, 0x8b, 8, random.below(32), 0, 0, 0, 0, 0, 3]), bytes.subarray(10)]),
  () => gzipSync(record(Buffer.alloc(3_000_000, 0x20))),
  (_, random) => gzipSync(record(watJson({ links: [image('lost.png', 'x')] }), {}, random.pick([0, 5, 1e5, 1e12, -1, 'x']))),
  (_, random) => gzipSync(record(watJson({ links: [image('lost.png', 'x')] }).slice(0, -1 - random.below(60)))),
  (_, random) => gzipSync(noise(random, random.below(3000))),
  (_, random) => gzipSync(record(`{"a":${'[{"b":'.repeat(random.below(20_000))}"IMG@/src"`)),
];

it(`reads what was not damaged, for ${BUDGET_MS / 1000} s of random damage`, { timeout: BUDGET_MS + 20_000 }, async () => {
  const until = performance.now() + BUDGET_MS;
  for (let seed = FIRST_SEED; performance.now() < until; seed++) {
    const random = randomSource(seed);
    const count = 1 + random.below(8);
    const intact: string[] = [];
    const members: Buffer[] = [];
    for (let i = 0; i < count; i++) {
      const links = Array.from({ length: 1 + random.below(5) }, (_, j) => image(`${seed}-${i}-${j}.png`, 'text '.repeat(random.below(40))));
      const member = gzipSync(record(watJson({ links })));
      if (random.next() < 0.3) members.push(random.pick(mutations)(member, random));
      else {
        members.push(member);
        intact.push(...links.map(({ url }) => url!));
      }
    }
    const { urls } = await readUrls(Buffer.concat(members), 1 + random.below(20_000));
    expect(
      intact.filter((url) => !urls.has(url)),
      `PAIRMILL_FUZZ_SEED=${seed}`,
    ).toEqual([]);
  }
});

const folder = join(sharedData, 'warc');
it.skipIf(!existsSync(folder))(
  `survives the real files, whole and damaged${existsSync(folder) ? '' : ` (skipped: ${folder} is not here; PAIRMILL_SHARED_DATA names the folder above it)`}`,
  { timeout: 120_000 },
  async () => {
    const records: Record<string, number> = {};
    for (const path of globSync(`${folder}/*.{gz,wat}`).sort()) {
      const bytes = readFileSync(path);
      const whole = await readUrls(bytes, 65_536, 32_000_000);
      records[basename(path)] = whole.records;
      if (!path.includes('.arc.')) expect(whole.damage, path).toEqual({});
      const random = randomSource(5);
      for (let i = 0; i < 3; i++) {
        const damaged = Buffer.from(bytes);
        for (let j = 0; j < 3; j++) damaged[random.below(damaged.length)]! ^= 0x55;
        const after = await readUrls(damaged, 65_536, 32_000_000);
        expect(after.records, path).toBeLessThanOrEqual(whole.records + 3);
      }
    }
    expect(records).toMatchObject({ 'whirlwind.warc.wat.gz': 2, 'whirlwind.warc.gz': 4, 'jwarc_cc.warc.gz': 1, 'resiliparse_warcfile.warc.gz': 50 });
  },
);
