import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readParquet } from '../../src/formats/parquet.ts';
import { sharedData } from '../../test/local-paths.ts';
import { cleanText } from '../../src/stages/extract/clean-text.ts';

const ROOT = join(import.meta.dirname, '../..');

/** The 10 000 captions of img2dataset's test with their URLs; none where they are not here. */
export async function laionCaptions(): Promise<{ text: string; url: string }[]> {
  const file = join(sharedData, 'laion-samples/img2dataset_test_10000.parquet');
  if (!existsSync(file)) return [];
  const rows = await Array.fromAsync(readParquet<{ URL: string; TEXT: string | null }>(file, ['URL', 'TEXT']));
  return rows.map(({ URL: url, TEXT }) => ({ url, text: cleanText(TEXT ?? '') })).filter(({ text }) => text !== '');
}

/** Alt texts of the WARC files of the shared data, by `pairmill extract`. */
export async function warcTexts(): Promise<string[]> {
  const folder = join(sharedData, 'warc');
  if (!existsSync(folder)) return [];
  const run = mkdtempSync(join(tmpdir(), 'pairmill-bench-language-'));
  try {
    const input = ['aut_example.warc.gz', 'dolma_sample-0000.warc.gz', 'dolma_sample-0001.warc.gz'].map((name) => join(folder, name)).join(',');
    const args = ['src/cli/main.ts', 'extract', '--input', input, '--run-dir', run, '--workers', '1', '--language-detector', 'none', '--quiet'];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: ROOT });
    if (status !== 0) throw new Error(`extract ended with ${status}: ${stderr.toString()}`);
    const texts = new Set<string>();
    for (const shard of ['00000', '00001', '00002']) {
      for await (const { text } of readParquet<{ text: string }>(join(run, 'candidates', `${shard}.parquet`), ['text'])) texts.add(text);
    }
    return [...texts];
  } finally {
    rmSync(run, { recursive: true });
  }
}
