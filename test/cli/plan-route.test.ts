import { describe, expect, test } from 'vitest';
import { planRoute } from '../../src/cli/plan-route.ts';
import type { RecognisedInput } from '../../src/cli/recognise-input.ts';

const route = (given: Omit<RecognisedInput, 'what'> & Record<string, unknown>, more: { from?: string; until?: string } = {}) => {
  const { stages, ...rest } = planRoute({ what: '', ...given } as RecognisedInput, '/data', { location: '/run', ...more });
  return { stages: stages.map(({ name }) => name).join(' '), ...rest };
};
const end = 'filter embed tag release index';

describe('the way from what is given to an index', () => {
  test.each([
    [{ kind: 'crawl' }, `extract dedup ingest draw download ${end}`, { extract: '/data' }],
    [{ kind: 'list', texts: true }, `list download ${end}`, { list: '/data' }],
    [{ kind: 'list', texts: false }, 'list download embed index', { list: '/data' }],
    [{ kind: 'pictures' }, 'import embed index', { import: '/data' }],
    [{ kind: 'dataset', dataset: 'candidates' }, `dedup ingest draw download ${end}`, {}],
    [{ kind: 'dataset', dataset: 'links' }, `ingest draw download ${end}`, {}],
    [{ kind: 'dataset', dataset: 'batches' }, `download ${end}`, {}],
    [{ kind: 'dataset', dataset: 'samples' }, end, {}],
    [{ kind: 'dataset', dataset: 'pairs' }, 'embed tag release index', {}],
    [{ kind: 'dataset', dataset: 'embeddings' }, 'index', {}],
  ] as const)('%j', (given, stages, inputs) => {
    expect(route(given)).toMatchObject({ stages, inputs });
  });

  test('what is not filtered is embedded out of samples/', () => {
    expect(route({ kind: 'pictures' })).toMatchObject({ elsewhere: { pairs: '/run/samples' } });
    expect(route({ kind: 'pictures' }, { from: 'filter' })).toEqual({
      stages: `import ${end}`,
      inputs: { import: '/data' },
      elsewhere: {},
      unread: ['batches', 'lists'],
    });
    expect(route({ kind: 'list', texts: true }, { from: 'embed' }).stages).toBe('list download embed index');
  });

  test('a dataset is what the first stage reads, whatever its name was', () => {
    expect(route({ kind: 'dataset', dataset: 'samples' }).elsewhere).toEqual({ samples: '/data' });
    expect(route({ kind: 'dataset', dataset: 'samples' }, { from: 'embed' }).elsewhere).toEqual({ pairs: '/data' });
  });

  test('--until', () => {
    expect(route({ kind: 'list', texts: true }, { until: 'download' }).stages).toBe('list download');
    expect(() => route({ kind: 'pictures' }, { until: 'draw' })).toThrow('--until draw: this input goes through import, embed, index. Name one of these.');
  });

  test('--from a stage that is not on the way', () => {
    expect(() => route({ kind: 'pictures' }, { from: 'draw' })).toThrow('this input goes through import first');
    expect(() => route({ kind: 'dataset', dataset: 'pairs' }, { from: 'filter' })).toThrow('behind pairs/ come embed, tag, release, index');
    expect(() => route({ kind: 'dataset', dataset: 'index' })).toThrow('Look at it with pairmill serve');
  });
});
