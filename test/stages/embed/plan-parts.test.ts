import { describe, expect, test } from 'vitest';
import type { PublishedShard } from '../../../src/contracts/dataset.ts';
import { embed } from '../../../src/stages/embed/embed.ts';
import { type PartWork, planParts } from '../../../src/stages/embed/plan-parts.ts';

/** Pairs shards of 4 samples each, by number. */
const pairs = (...numbers: number[]): PublishedShard[] =>
  numbers.map((number) => {
    const name = String(number).padStart(5, '0');
    return { name, digest: `digest ${name}`, out: 4, files: [`${name}.tar`, `${name}.parquet`] };
  });

type Parts = Record<string, number[]>;

interface Given {
  sealed?: boolean;
  recorded?: Parts;
  options?: Record<string, unknown>;
}

function plan(shards: readonly PublishedShard[], { sealed = true, recorded = {}, options = { shardsPerPart: 2 } }: Given = {}): Parts {
  const work = Object.entries(recorded).map(([name, numbers]): [string, PartWork] => [name, { shards: pairs(...numbers).map((shard) => shard.name) }]);
  const planned = planParts({ options: embed.options.parse(options), datasets: { pairs: { shards, sealed } }, recorded: new Map(work) });
  expect(planned.complete).toBe(sealed);
  for (const {
    work: { shards: names },
    inputs,
  } of planned.shards)
    expect(inputs).toEqual(names.map((name) => ({ name: `pairs/${name}`, digest: `digest ${name}` })));
  return Object.fromEntries(planned.shards.map(({ name, work: { shards: names } }) => [name, names.map(Number)]));
}

describe('parts of embeddings', () => {
  test('take consecutive shards until they have the number of samples, or of shards', () => {
    const shards = pairs(0, 1, 2, 3, 4);
    expect(plan(shards, { options: {} })).toEqual({ '00000': [0, 1, 2, 3, 4] });
    expect(plan(shards, { options: { shardsPerPart: 2 } })).toEqual({ '00000': [0, 1], '00001': [2, 3], '00002': [4] });
    expect(plan(shards, { options: { writeBatchSize: 4 } })).toEqual({ '00000': [0], '00001': [1], '00002': [2], '00003': [3], '00004': [4] });
    expect(plan(shards, { options: { writeBatchSize: 5 } })).toEqual({ '00000': [0, 1], '00001': [2, 3], '00002': [4] });
  });

  test('a shard without a count is taken for one of 10,000 samples', () => {
    const unknown = pairs(0, 1, 2).map(({ out: _, ...shard }) => shard);
    expect(plan(unknown, { options: { writeBatchSize: 20_000 } })).toEqual({ '00000': [0, 1], '00001': [2] });
  });

  test('only closed parts are planned: the last is open until pairs is sealed', () => {
    expect(plan(pairs(0), { sealed: false })).toEqual({});
    expect(plan(pairs(0, 1, 2), { sealed: false })).toEqual({ '00000': [0, 1] });
    expect(plan(pairs(0, 1, 2), { sealed: true })).toEqual({ '00000': [0, 1], '00001': [2] });
  });

  test('a shard that comes later than its neighbours is waited for, and the parts are those of a quiet run', () => {
    const quiet = plan(pairs(0, 1, 2, 3, 4));
    expect(plan(pairs(1, 2, 3), { sealed: false })).toEqual({});
    expect(plan(pairs(0, 2, 3, 4), { sealed: false })).toEqual({});
    expect(plan(pairs(0, 1, 3, 4), { sealed: false })).toEqual({ '00000': [0, 1] });
    const recorded = { '00000': [0, 1] };
    expect(plan(pairs(0, 1, 3, 4), { sealed: false, recorded })).toEqual({ '00000': [0, 1] });
    expect(plan(pairs(0, 1, 2, 3, 4), { sealed: false, recorded })).toEqual({ '00000': [0, 1], '00001': [2, 3] });
    expect(plan(pairs(0, 1, 2, 3, 4), { sealed: true, recorded })).toEqual(quiet);
  });

  test('whatever the order in which shards come, the parts are the same', () => {
    const quiet = plan(pairs(0, 1, 2, 3, 4, 5, 6));
    for (const order of [
      [6, 5, 4, 3, 2, 1, 0],
      [3, 0, 6, 1, 5, 2, 4],
      [0, 2, 4, 6, 1, 3, 5],
    ]) {
      let recorded: Parts = {};
      for (let come = 1; come <= order.length; come++) recorded = plan(pairs(...order.slice(0, come).sort()), { sealed: false, recorded });
      expect(plan(pairs(0, 1, 2, 3, 4, 5, 6), { recorded })).toEqual(quiet);
    }
  });

  test('recorded parts keep their shards; new shards get new parts at the end, also one that falls between', () => {
    const recorded = { '00000': [0, 1, 3], '00001': [4] };
    expect(plan(pairs(0, 1, 3, 4, 5, 6, 7), { recorded })).toEqual({ '00000': [0, 1, 3], '00001': [4], '00002': [5, 6], '00003': [7] });
    expect(plan(pairs(0, 1, 2, 3, 4), { recorded })).toEqual({ '00000': [0, 1, 3], '00001': [4], '00002': [2] });
  });

  test('a recorded part of which a shard is gone waits while it may come back, then is made of those that are left', () => {
    const recorded = { '00000': [0, 1], '00001': [2, 3], '00002': [4] };
    expect(plan(pairs(0, 2, 3), { sealed: false, recorded })).toEqual({ '00001': [2, 3] });
    expect(plan(pairs(0, 2, 3), { sealed: true, recorded })).toEqual({ '00000': [0], '00001': [2, 3] });
    expect(plan(pairs(0, 1, 2, 3, 4), { sealed: true, recorded })).toEqual(recorded);
  });

  test('names have five digits or more, and numbers their own order', () => {
    const recorded = { '100000': [1], '99999': [0] };
    expect(Object.keys(plan(pairs(0, 1, 2), { recorded })).sort((a, b) => Number(a) - Number(b))).toEqual(['99999', '100000', '100001']);
  });
});
