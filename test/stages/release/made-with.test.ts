import { expect, test } from 'vitest';
import type { PublishedShard } from '../../../src/contracts/dataset.ts';
import { madeWith } from '../../../src/stages/release/made-with.ts';

const shard = (name: string, more: Partial<PublishedShard>): PublishedShard => ({ name, digest: name, files: [], ...more });
const making = (model: string): { options: { model: string }; models: Record<string, string> } => ({ options: { model }, models: { 'model.onnx': model } });

test('each making is named once; of a shard that --accept-changed has kept, the one that really made it', () => {
  const shards = [
    shard('00000', { madeBy: making('new'), acceptedFrom: making('old') }),
    shard('00001', { madeBy: making('new') }),
    shard('00002', { madeBy: making('new') }),
    shard('00003', {}),
  ];
  expect(madeWith({ shards, sealed: true })).toEqual([making('new'), making('old')]);
});
