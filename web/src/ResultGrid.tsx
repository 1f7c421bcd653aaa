import type { SearchResult } from '../../src/contracts/search-api.ts';
import { languageName } from './language-name.ts';
import { Picture } from './Picture.tsx';
import styles from './ResultGrid.module.css';

interface ResultGridProps {
  /** Undefined while the first ones are awaited. */
  results: SearchResult[] | undefined;
  loading: boolean;
  onLike(result: SearchResult): void;
  onCaption(result: SearchResult): void;
  /** All captions of the picture, that the other results with it have. */
  onOthers(result: SearchResult): void;
  onDetails(result: SearchResult): void;
}

const PLACES = Array.from({ length: 12 }, (_, i) => i);

export function ResultGrid({ results, loading, ...actions }: ResultGridProps): React.JSX.Element {
  if (!results)
    return (
      <div className={styles['grid']} aria-hidden="true">
        {loading && PLACES.map((i) => <div key={i} className={styles['place']} />)}
      </div>
    );
  return (
    <ol className={loading ? `${styles['grid']} ${styles['stale']}` : styles['grid']} aria-label="Results">
      {results.map((result) => (
        <Card key={result.id} result={result} {...actions} />
      ))}
    </ol>
  );
}

function Card({ result, onLike, onCaption, onOthers, onDetails }: Omit<ResultGridProps, 'results' | 'loading'> & { result: SearchResult }): React.JSX.Element {
  return (
    <li className={styles['card']}>
      <button
        type="button"
        className={styles['frame']}
        onClick={() => onLike(result)}
        aria-label={`Pictures like: ${result.caption || 'a picture without a caption'}`}
      >
        <Picture result={result} />
        <span className={styles['hint']} aria-hidden="true">
          Pictures like this
        </span>
      </button>
      {result.others > 0 && (
        <button type="button" className={styles['others']} onClick={() => onOthers(result)}>
          {result.others} more caption{result.others === 1 ? '' : 's'}
        </button>
      )}
      {result.caption !== '' && (
        <button
          type="button"
          className={styles['caption']}
          onClick={() => onCaption(result)}
          dir="auto"
          lang={result.language || undefined}
          title="Search by this caption"
        >
          {result.caption}
        </button>
      )}
      <div className={styles['facts']}>
        {result.language !== '' && <span className={styles['language']}>{languageName(result.language)}</span>}
        <span title="Cosine of the query and this result">{result.score.toFixed(3)}</span>
        <button type="button" onClick={() => onDetails(result)} aria-label={`Details of: ${result.caption || 'a picture without a caption'}`}>
          Details
        </button>
      </div>
    </li>
  );
}
