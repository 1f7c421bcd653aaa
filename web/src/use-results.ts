import { useEffect, useState } from 'react';
import type { IndexResponse, SearchResponse } from '../../src/contracts/search-api.ts';
import { fetchIndex, fetchResults } from './api.ts';
import type { SearchState } from './search-state.ts';

export interface Loaded<T> {
  value?: T | undefined;
  error?: string | undefined;
  loading: boolean;
}

/** What the index is; asked once. */
export function useIndex(): Loaded<IndexResponse> {
  return useLoaded('index', fetchIndex);
}

/** Results of the state, or of the picture; nothing where there is nothing to search. The last ones stay until new ones are there. */
export function useResults(state: SearchState, picture: File | undefined, attempt: number): Loaded<SearchResponse> {
  const key = picture || state.like || state.text.trim() ? JSON.stringify([state, picture?.name, picture?.lastModified, picture?.size, attempt]) : undefined;
  return useLoaded(key, (signal) => fetchResults(state, picture, signal));
}

function useLoaded<T>(key: string | undefined, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [loaded, setLoaded] = useState<Loaded<T>>({ loading: key !== undefined });
  useEffect(() => {
    if (key === undefined) {
      setLoaded({ loading: false });
      return;
    }
    const controller = new AbortController();
    setLoaded(({ value }) => ({ value, loading: true }));
    load(controller.signal).then(
      (value) => setLoaded({ value, loading: false }),
      (error: unknown) => {
        // A newer search took its place.
        if (!controller.signal.aborted) setLoaded({ error: error instanceof Error ? error.message : String(error), loading: false });
      },
    );
    return () => controller.abort();
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- `load` is a new function at each rendering; the key says when it would give something else
  }, [key]);
  return loaded;
}
