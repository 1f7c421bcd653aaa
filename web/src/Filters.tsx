import { useEffect, useRef } from 'react';
import type { IndexResponse } from '../../src/contracts/search-api.ts';
import styles from './Filters.module.css';
import { languageName } from './language-name.ts';
import type { SearchState } from './search-state.ts';

interface FiltersProps {
  index: IndexResponse;
  state: SearchState;
  onChange(change: Partial<SearchState>): void;
}

export function Filters({ index, state, onChange }: FiltersProps): React.JSX.Element {
  const { languages, minSimilarity, modality, distinct } = state;
  const toggle = (language: string): void =>
    onChange({ languages: languages.includes(language) ? languages.filter((each) => each !== language) : [...languages, language] });
  const chosen = languages.length === 0 ? 'All languages' : languages.length <= 2 ? languages.map(languageName).join(', ') : `${languages.length} languages`;
  return (
    <div className={styles['filters']} role="group" aria-label="Filters">
      {index.modalities.length > 1 && (
        <fieldset className={styles['choice']}>
          <legend>Compare with</legend>
          {(
            [
              ['image', 'pictures'],
              ['text', 'captions'],
            ] as const
          ).map(([value, label]) => (
            <label key={value} className={modality === value ? styles['chosen'] : ''}>
              <input type="radio" name="modality" checked={modality === value} onChange={() => onChange({ modality: value })} />
              {label}
            </label>
          ))}
        </fieldset>
      )}
      {index.languages.some(({ language }) => language !== '') && (
        <Popover label={chosen} active={languages.length > 0}>
          <div className={styles['languages']}>
            {languages.length > 0 && (
              <button type="button" onClick={() => onChange({ languages: [] })}>
                All languages
              </button>
            )}
            {index.languages.map(({ language, rows }) => (
              <label key={language}>
                <input type="checkbox" checked={languages.includes(language)} onChange={() => toggle(language)} />
                <span>{languageName(language)}</span>
                <span className={styles['rows']}>{rows.toLocaleString('en')}</span>
              </label>
            ))}
          </div>
        </Popover>
      )}
      {index.similarity && (
        <label className={styles['similarity']}>
          <span>Picture fits caption at least</span>
          <input
            type="range"
            min="0"
            max="1"
            step="0.05"
            value={minSimilarity}
            onChange={(event) => onChange({ minSimilarity: Number(event.target.value) })}
            aria-valuetext={minSimilarity === 0 ? 'any' : minSimilarity.toFixed(2)}
          />
          <span aria-hidden="true" className={styles['value']}>
            {minSimilarity === 0 ? 'any' : minSimilarity.toFixed(2)}
          </span>
        </label>
      )}
      <label className={styles['check']}>
        <input type="checkbox" checked={distinct} onChange={() => onChange({ distinct: !distinct })} />
        Each picture once
      </label>
    </div>
  );
}

/** A panel that opens below its button; Escape and a click elsewhere close it. */
function Popover({ label, active, children }: { label: string; active: boolean; children: React.ReactNode }): React.JSX.Element {
  const details = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const close = (event: Event): void => {
      if (!details.current?.open) return;
      if (event instanceof KeyboardEvent ? event.key === 'Escape' : !details.current.contains(event.target as Node)) details.current.open = false;
    };
    addEventListener('pointerdown', close);
    addEventListener('keydown', close);
    return () => {
      removeEventListener('pointerdown', close);
      removeEventListener('keydown', close);
    };
  }, []);
  return (
    <details className={styles['popover']} ref={details}>
      <summary className={active ? styles['chosen'] : ''}>
        {label} <span aria-hidden="true">▾</span>
      </summary>
      {children}
    </details>
  );
}
