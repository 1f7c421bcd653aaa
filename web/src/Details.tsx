import { useEffect, useRef } from 'react';
import type { SearchResult } from '../../src/contracts/search-api.ts';
import styles from './Details.module.css';
import { languageName } from './language-name.ts';
import { Picture } from './Picture.tsx';

interface DetailsProps {
  result: SearchResult;
  onClose(): void;
  onLike(result: SearchResult): void;
  onCaption(result: SearchResult): void;
}

/** All that is known of one result. */
export function Details({ result, onClose, onLike, onCaption }: DetailsProps): React.JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  const tags = Object.entries(result.tags).filter((entry): entry is [string, number] => entry[1] !== null);
  const further = Object.entries(result.further).filter(([, value]) => value !== null && value !== '');
  return (
    // oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-noninteractive-element-interactions -- Escape closes a dialog by itself
    <dialog
      ref={dialog}
      className={styles['dialog']}
      onClose={onClose}
      onClick={(event) => event.target === dialog.current && dialog.current.close()}
      aria-label="Details"
    >
      <div className={styles['content']}>
        <Picture result={result} className={styles['picture']} />
        <div className={styles['text']}>
          {result.caption !== '' && (
            <p className={styles['caption']} dir="auto" lang={result.language || undefined}>
              {result.caption}
            </p>
          )}
          <dl>
            {result.url && (
              <Fact name={isWebAddress(result.url) ? 'Found at' : 'File'}>
                <LinkOrText text={result.url} />
              </Fact>
            )}
            {result.language !== '' && <Fact name="Language">{languageName(result.language)}</Fact>}
            {result.width !== null && result.height !== null && (
              <Fact name="Size">
                {result.width} × {result.height}
              </Fact>
            )}
            <Fact name="Score">{result.score.toFixed(4)}</Fact>
            {result.similarity !== null && <Fact name="Picture fits caption">{result.similarity.toFixed(4)}</Fact>}
            {result.licence && (
              <Fact name="Licence">
                <LinkOrText text={result.licence} />
              </Fact>
            )}
            {tags.map(([head, value]) => (
              <Fact key={head} name={head}>
                {figure(value)}
              </Fact>
            ))}
            {further.map(([name, value]) => (
              <Fact key={name} name={name}>
                <span dir="auto">{typeof value === 'number' ? figure(value) : String(value)}</span>
              </Fact>
            ))}
            <Fact name="Hash">
              <code>{result.hash}</code>
            </Fact>
          </dl>
          <div className={styles['actions']}>
            <button type="button" onClick={() => onLike(result)}>
              Pictures like this
            </button>
            {result.caption !== '' && (
              <button type="button" onClick={() => onCaption(result)}>
                Search by the caption
              </button>
            )}
            <button type="button" onClick={() => dialog.current?.close()}>
              Close
            </button>
          </div>
        </div>
      </div>
    </dialog>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }): React.JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Links lead to web addresses only: what else a crawl found may be a script. */
function LinkOrText({ text }: { text: string }): React.ReactNode {
  if (!isWebAddress(text)) return text;
  return (
    <a href={text} target="_blank" rel="noopener noreferrer nofollow">
      {text}
    </a>
  );
}

const isWebAddress = (text: string): boolean => /^https?:/.test(text);

/** Without the digits that a float32 has beyond its precision. */
const figure = (value: number): string => value.toLocaleString('en', { maximumFractionDigits: 6, useGrouping: false });
