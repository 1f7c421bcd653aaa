import { describe, expect, test } from 'vitest';
import { SimilarityHistogram } from '../../src/contracts/similarity-histogram.ts';
import { randomSource } from '../random-source.ts';

describe('SimilarityHistogram', () => {
  test('the edge of a share keeps that share, and too many by less than one bin', () => {
    const random = randomSource(1).next;
    const similarities = Array.from({ length: 20_000 }, () => Math.fround(0.2 + 0.3 * (random() + random() - 1)));
    const histogram = new SimilarityHistogram(10_000);
    for (const similarity of similarities) histogram.add(similarity);
    for (const share of [0.001, 0.3, 0.5, 1]) {
      const edge = histogram.topEdge(share);
      const kept = similarities.filter((similarity) => similarity >= edge).length;
      const inBin = similarities.filter((similarity) => similarity >= edge && similarity < edge + 0.0001).length;
      expect(kept).toBeGreaterThanOrEqual(share * 20_000);
      expect(kept - share * 20_000).toBeLessThan(Math.max(1, inBin));
    }
  });

  test('a comparison with an edge decides as the bin does, at every edge and beside it', () => {
    for (let bin = 0; bin <= 200; bin++) {
      const edge = new SimilarityHistogram(100).edge(bin);
      for (const similarity of [edge, Math.fround(edge), edge - Number.EPSILON, edge + Number.EPSILON].filter((each) => each >= -1 && each <= 1)) {
        const histogram = new SimilarityHistogram(100);
        histogram.add(similarity);
        const [[found]] = histogram.sparse() as [[number, number]];
        expect(histogram.edge(found)).toBeLessThanOrEqual(similarity);
        if (found < 200) expect(histogram.edge(found + 1)).toBeGreaterThan(similarity);
      }
    }
  });

  test('without anything in it nothing is above its edge', () => {
    expect(new SimilarityHistogram(100).topEdge(0.5)).toBe(1);
  });
});
