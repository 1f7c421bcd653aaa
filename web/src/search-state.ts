import { useCallback, useSyncExternalStore } from 'react';

/** What is searched: kept in the URL's query, so that a search can be linked, reloaded and gone back to. */
export interface SearchState {
  text: string;
  /** Hash of the sample whose picture is searched by; wins over `text`. */
  like: string;
  modality: 'image' | 'text';
  languages: string[];
  minSimilarity: number;
  /** Each picture once, however many captions it has. */
  distinct: boolean;
  k: number;
}

const PAGE = 40;
export const MAX_RESULTS = 1000;
export const emptySearch: SearchState = { text: '', like: '', modality: 'image', languages: [], minSimilarity: 0, distinct: true, k: PAGE };

export function readState(query: string): SearchState {
  const parameters = new URLSearchParams(query);
  const number = (name: string, fallback: number, most: number): number => {
    const value = Number(parameters.get(name) ?? fallback);
    return Number.isFinite(value) && value >= 0 ? Math.min(value, most) : fallback;
  };
  return {
    text: parameters.get('q') ?? '',
    like: /^-?\d{1,19}$/.test(parameters.get('like') ?? '') ? parameters.get('like')! : '',
    modality: parameters.get('by') === 'caption' ? 'text' : 'image',
    languages: parameters.getAll('language'),
    minSimilarity: number('similarity', 0, 1),
    distinct: parameters.get('all') !== '1',
    k: Math.max(1, Math.round(number('k', PAGE, MAX_RESULTS))),
  };
}

/** The query of a state; what is as by default is left out. */
export function writeState({ text, like, modality, languages, minSimilarity, distinct, k }: SearchState): string {
  const parameters = new URLSearchParams();
  if (like) parameters.set('like', like);
  else if (text) parameters.set('q', text);
  if (modality === 'text') parameters.set('by', 'caption');
  for (const language of languages) parameters.append('language', language);
  if (minSimilarity > 0) parameters.set('similarity', String(minSimilarity));
  if (!distinct) parameters.set('all', '1');
  if (k !== PAGE) parameters.set('k', String(k));
  const query = parameters.toString();
  return query ? `?${query}` : '';
}

/** Part of a state that a new search starts with: its first results. */
export const firstPage = { k: PAGE };
export const nextPage = (k: number): number => Math.min(MAX_RESULTS, k + PAGE);

const CHANGED = 'searchstate';
const subscribe = (listen: () => void): (() => void) => {
  addEventListener('popstate', listen);
  addEventListener(CHANGED, listen);
  return () => {
    removeEventListener('popstate', listen);
    removeEventListener(CHANGED, listen);
  };
};

/** The state in the URL, and a function that changes part of it. */
export function useSearchState(): [SearchState, (change: Partial<SearchState>) => void] {
  const query = useSyncExternalStore(subscribe, () => location.search);
  const change = useCallback((some: Partial<SearchState>) => {
    const next = writeState({ ...readState(location.search), ...some });
    if (next === location.search) return;
    history.pushState(null, '', `${location.pathname}${next}`);
    dispatchEvent(new Event(CHANGED));
  }, []);
  return [readState(query), change];
}
