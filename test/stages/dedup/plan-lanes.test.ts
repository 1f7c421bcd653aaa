import { describe, expect, it } from 'vitest';
import type { DatasetState } from '../../../src/contracts/dataset.ts';
import { planLanes } from '../../../src/stages/dedup/plan-lanes.ts';

const candidates = (numbers: number[], sealed: boolean): DatasetState => ({
  shards: numbers.map((number) => ({ name: String(number).padStart(5, '0'), digest: `d${number}`, files: [] })),
  sealed,
});
const names = (...plan: Parameters<typeof planLanes>) => planLanes(...plan).shards.map(({ name, after }) => [name, ...after!]);

describe('planLanes', () => {
  it('numbers shards by input and partition, each after the one before it in its partition', () => {
    expect(planLanes(candidates([0, 1], true), 2, 2, [['f0'], []])).toEqual({
      complete: true,
      shards: [
        {
          name: '00000',
          work: { partition: 0, partitions: 2, input: '00000', blooms: ['f0'], last: false },
          inputs: [
            { name: 'candidates/00000', digest: 'd0' },
            { name: 'bloom filter f0', digest: 'f0' },
          ],
          after: [],
        },
        {
          name: '00002',
          work: { partition: 0, partitions: 2, input: '00001', blooms: ['f0'], last: false },
          inputs: [
            { name: 'candidates/00001', digest: 'd1' },
            { name: 'bloom filter f0', digest: 'f0' },
          ],
          after: ['00000'],
        },
        {
          name: '00001',
          work: { partition: 1, partitions: 2, input: '00000', blooms: [], last: false },
          inputs: [{ name: 'candidates/00000', digest: 'd0' }],
          after: [],
        },
        {
          name: '00003',
          work: { partition: 1, partitions: 2, input: '00001', blooms: [], last: false },
          inputs: [{ name: 'candidates/00001', digest: 'd1' }],
          after: ['00001'],
        },
      ],
    });
  });

  it('goes as far as the first number that is missing, and past it once no more will come', () => {
    const numbers = [0, 1, 3, 4];
    expect(names(candidates(numbers, false), 1, 1, [])).toEqual([['00000'], ['00001', '00000']]);
    expect(names(candidates(numbers, true), 1, 1, [])).toEqual([['00000'], ['00001', '00000'], ['00003', '00001'], ['00004', '00003']]);
    expect(names(candidates([1, 2], false), 1, 1, [])).toEqual([]);
    expect(planLanes(candidates(numbers, false), 1, 1, []).complete).toBe(false);
  });

  it('gives a shard one name whatever else there is: more inputs, gaps', () => {
    const of = (numbers: number[]) =>
      new Map(planLanes(candidates(numbers, true), 3, 3, []).shards.map(({ name, work }) => [`${work.input} ${work.partition}`, name]));
    const [few, more] = [of([0, 2]), of([0, 1, 2, 50_000])];
    for (const [what, name] of few) expect(more.get(what)).toBe(name);
    expect(more.get('50000 2')).toBe('150002');
  });

  it('waits for all candidates where the partitions do not fit into memory together, and frees each at its end', () => {
    expect(planLanes(candidates([0, 1], false), 3, 2, [])).toEqual({ shards: [], complete: false });
    expect(
      planLanes(candidates([0, 1], true), 3, 2, [])
        .shards.filter(({ work }) => work.last)
        .map(({ name }) => name),
    ).toEqual(['00003', '00004', '00005']);
  });
});
