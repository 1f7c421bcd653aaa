import { useEffect, useRef, useState } from 'react';
import type { SearchResult } from '../../src/contracts/search-api.ts';
import styles from './App.module.css';
import { Details } from './Details.tsx';
import { Filters } from './Filters.tsx';
import { ResultGrid } from './ResultGrid.tsx';
import { SearchBox } from './SearchBox.tsx';
import { emptySearch, firstPage, MAX_RESULTS, nextPage, useSearchState } from './search-state.ts';
import { Start } from './Start.tsx';
import { useIndex, useResults } from './use-results.ts';

export function App(): React.JSX.Element {
  const [state, change] = useSearchState();
  // A picture is not kept in the URL: it lasts until another search, or a reload.
  const [picture, setPicture] = useState<File>();
  const [attempt, setAttempt] = useState(0);
  const [shown, setShown] = useState<SearchResult>();
  const index = useIndex();
  const results = useResults(state, picture, attempt);
  const searching = Boolean(picture ?? (state.like || state.text.trim()));
  const list = searching ? results.value?.results : undefined;
  const top = useRef<HTMLElement>(null);

  useEffect(() => {
    document.title = state.text && !picture && !state.like ? `${state.text} – Pairmill` : 'Pairmill';
  }, [state.text, state.like, picture]);

  const search = (some: Partial<typeof state>): void => {
    setPicture(undefined);
    setShown(undefined);
    change({ ...firstPage, text: '', like: '', ...some });
    top.current?.scrollIntoView({ block: 'start' });
  };
  const searchPicture = (file: File): void => {
    setPicture(file);
    setShown(undefined);
    change({ ...firstPage, text: '', like: '' });
  };
  const filtered = state.languages.length > 0 || state.minSimilarity > 0;

  return (
    <div className={styles['page']}>
      <header className={searching ? styles['header'] : `${styles['header']} ${styles['start']}`} ref={top}>
        <a
          className={styles['name']}
          href="./"
          onClick={(event) => {
            event.preventDefault();
            search({ ...emptySearch });
          }}
        >
          <img src="./icon.svg" alt="" width="28" height="28" /> Pairmill
        </a>
        <SearchBox
          text={state.text}
          like={state.like}
          picture={picture}
          onText={(text) => search({ text })}
          onPicture={searchPicture}
          onClear={() => search({})}
        />
        {index.value && <p className={styles['about']}>{describeIndex(index.value.rows, index.value.model, index.value.recall[state.modality])}</p>}
      </header>
      <main className={styles['main']}>
        {index.error && (
          <p className={styles['error']} role="alert">
            {index.error}
          </p>
        )}
        {index.value && searching && <Filters index={index.value} state={state} onChange={(some) => change({ ...firstPage, ...some })} />}
        <p className={styles['status']} role="status">
          {searching && (results.loading ? 'Searching …' : list && describeResults(list.length, results.value!.took_ms))}
        </p>
        {searching && results.error && (
          <div className={styles['error']} role="alert">
            <p>{results.error}</p>
            <button type="button" className={styles['button']} onClick={() => setAttempt(attempt + 1)}>
              Try again
            </button>
          </div>
        )}
        {!searching && index.value && <Start index={index.value} onSearch={(text) => search({ text })} onLike={(hash) => search({ like: hash })} />}
        {searching && !results.error && (
          <ResultGrid
            results={list}
            loading={results.loading}
            onLike={({ hash }) => search({ like: hash })}
            onCaption={({ caption }) => search({ text: caption })}
            onOthers={({ hash }) => search({ like: hash, distinct: false })}
            onDetails={setShown}
          />
        )}
        {list?.length === 0 && !results.loading && (
          <div className={styles['empty']}>
            <p>Nothing passes these filters.</p>
            {filtered && (
              <button type="button" className={styles['button']} onClick={() => change({ languages: [], minSimilarity: 0 })}>
                Clear the filters
              </button>
            )}
          </div>
        )}
        {list && list.length >= state.k && state.k < MAX_RESULTS && (
          <button type="button" className={`${styles['button']} ${styles['more']}`} disabled={results.loading} onClick={() => change({ k: nextPage(state.k) })}>
            Show more
          </button>
        )}
      </main>
      {shown && (
        <Details
          result={shown}
          onClose={() => setShown(undefined)}
          onLike={({ hash }) => search({ like: hash })}
          onCaption={({ caption }) => search({ text: caption })}
        />
      )}
    </div>
  );
}

function describeResults(count: number, milliseconds: number): string {
  return `${count} ${count === 1 ? 'result' : 'results'} in ${Math.round(milliseconds).toLocaleString('en')} ms`;
}

function describeIndex(rows: number, model: string, recall: number | undefined): string {
  const how = recall === undefined || recall === 1 ? 'exact search' : `recall@10 ${(100 * recall).toFixed(1)} %`;
  return `${rows.toLocaleString('en')} pairs · ${model === '' ? 'model unknown' : `model ${model}`} · ${how}`;
}
