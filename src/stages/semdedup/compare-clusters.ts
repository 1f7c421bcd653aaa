import { join } from 'node:path';
import { type NpyRows, openNpyRows } from '../../formats/npy.ts';
import { type NearestVectors, openNearestVectors } from '../../models/nearest-vectors.ts';
import type { ClusterOrder } from './cluster-order.ts';
import { type EmbeddingRows, placesOf } from './embedding-rows.ts';
import { blockSearch, type NearestBefore, rowBlocks } from './nearest-before.ts';
import { stepJournal, type StepSettings } from './step-journal.ts';
import type { VectorsInOrder } from './vectors-in-order.ts';

/** Pairs after which the places that were compared are noted: some ten seconds of two cores with 512 dimensions. */
const PAIRS_PER_NOTE = 2 ** 30;

interface Settings extends StepSettings {
  vectors: VectorsInOrder;
  /** Called with the number of further rows that were compared. */
  onRows(rows: number): void;
  pairsPerNote?: number;
}

/**
 * Compares the rows of each cluster with those before them, one cluster after another. As many clusters as fit into memory are put in order on
 * the disk at a time. Item p of the journal is what was found for some places from p on.
 */
export async function compareClusters(embeddings: EmbeddingRows, { rowAt, starts }: ClusterOrder, settings: Settings): Promise<NearestBefore> {
  const { dimensions, type } = embeddings;
  const found: NearestBefore = { at: new Int32Array(rowAt.length), cosines: new Float32Array(rowAt.length) };
  const path = join(settings.scratch, 'clusters.npy');
  const places = placesOf(rowAt, embeddings.rows);
  const nearest = await openNearestVectors(dimensions, { of: type, among: type, before: true });
  try {
    let place = await recall(found, settings);
    while (place < rowAt.length) {
      const { from, until } = clustersInMemory(starts, place, settings.vectors.perPass);
      await settings.vectors.write(places, from, until, path);
      const file = await openNpyRows(path);
      try {
        await compareSome(file, { starts, from, place, until }, { nearest, found, settings });
      } finally {
        await file.close();
      }
      place = until;
    }
  } finally {
    await nearest.close();
  }
  return found;
}

/** Fills in what earlier tries have noted; returns the place from which on nothing was. */
async function recall(found: NearestBefore, { journal, onRows }: Settings): Promise<number> {
  let place = 0;
  for (let known; (known = await stepJournal<NearestBefore>(journal, 'compared').recall(place)); place += known.at.length) {
    found.at.set(known.at, place);
    found.cosines.set(known.cosines, place);
  }
  onRows(place);
  return place;
}

/** The cluster of a place, and those after it that fit into memory together with it. */
function clustersInMemory(starts: Int32Array, place: number, perPass: number): { from: number; until: number } {
  let cluster = 0;
  while (starts[cluster + 1]! <= place) cluster++;
  const from = starts[cluster]!;
  while (cluster + 2 < starts.length && starts[cluster + 2]! - from <= perPass) cluster++;
  return { from, until: starts[cluster + 1]! };
}

/** Compares from `place` on; `file` holds the whole clusters from place `from` to before `until`. */
async function compareSome(
  file: NpyRows,
  { starts, from, place, until }: { starts: Int32Array; from: number; place: number; until: number },
  { nearest, found, settings }: { nearest: NearestVectors; found: NearestBefore; settings: Settings },
): Promise<void> {
  const { journal, onNoted, onRows, signal, pairsPerNote = PAIRS_PER_NOTE } = settings;
  const search = blockSearch(file, from, nearest, signal);
  let [noted, pairs] = [place, 0];
  for (const block of rowBlocks(starts, place)) {
    if (block.first >= until) break;
    const { at, cosines } = await search(block);
    found.at.set(at, block.first);
    found.cosines.set(cosines, block.first);
    onRows(at.length);
    pairs += at.length * (block.until - block.begin);
    if (pairs < pairsPerNote && block.until < until) continue;
    await stepJournal<NearestBefore>(journal, 'compared').note(noted, {
      at: found.at.subarray(noted, block.until),
      cosines: found.cosines.subarray(noted, block.until),
    });
    onNoted('compared');
    [noted, pairs] = [block.until, 0];
  }
}
