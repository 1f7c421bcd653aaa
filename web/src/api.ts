import type { ErrorResponse, IndexResponse, SearchResponse } from '../../src/contracts/search-api.ts';
import type { SearchState } from './search-state.ts';

async function ask<T>(path: string, init?: RequestInit): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new Error('The server can’t be reached. Is pairmill serve still running?', { cause: error });
  }
  if (response.ok) return (await response.json()) as T;
  const { message } = (await response.json().catch(() => ({ message: `The server answered ${response.status}.` }))) as ErrorResponse;
  throw new Error(message);
}

export function fetchIndex(signal: AbortSignal): Promise<IndexResponse> {
  return ask('/api/v1/index', { signal });
}

/** Searches by the picture where there is one, else by what the state says. */
export function fetchResults(
  { text, like, modality, languages, minSimilarity, distinct, k }: SearchState,
  picture: Blob | undefined,
  signal: AbortSignal,
): Promise<SearchResponse> {
  const parameters = new URLSearchParams({ k: String(k), distinct: String(distinct) });
  // Not named unless chosen: an index of captions alone is searched by these.
  if (modality !== 'image') parameters.set('modality', modality);
  if (!picture && like) parameters.set('like', like);
  else if (!picture) parameters.set('text', text);
  for (const language of languages) parameters.append('language', language);
  if (minSimilarity > 0) parameters.set('min_similarity', String(minSimilarity));
  return ask(`/api/v1/search?${parameters}`, picture ? { method: 'POST', body: picture, signal } : { signal });
}
