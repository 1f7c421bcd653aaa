import type { IndexResponse } from '../../src/contracts/search-api.ts';
import styles from './Start.module.css';

/** Searches to begin with. The mini model knows emoji, so with it they are of things that have one. */
const emojiExamples = ['a red apple', 'ein schlafendes Gesicht', 'avion', 'голубь мира', '猫', 'बारिश', 'قلب أحمر', 'pizza'];
const examples = ['a red bicycle by the sea', 'ein alter Mann mit Hut', 'tableau impressionniste', 'закат в горах', '猫のイラスト', 'قلعة قديمة'];

interface StartProps {
  index: IndexResponse;
  onSearch(text: string): void;
  onLike(hash: string): void;
}

export function Start({ index, onSearch, onLike }: StartProps): React.JSX.Element {
  const { encodes, first } = index;
  if (!encodes)
    return (
      <section className={styles['start']}>
        <p>
          Nobody said which model made the vectors of this index, so a text or a picture of yours can’t be compared with them. Start <code>pairmill serve</code>{' '}
          with <kbd>--model</kbd> to search by these. Until then you can begin with a sample and go on to pictures like it.
        </p>
        {first !== null && (
          <ul>
            <li>
              <button type="button" onClick={() => onLike(first)}>
                Begin with the first sample
              </button>
            </li>
          </ul>
        )}
      </section>
    );
  const isMini = index.model === 'mini';
  return (
    <section className={styles['start']}>
      <h2>Try</h2>
      <ul>
        {(isMini ? emojiExamples : examples).map((text) => (
          <li key={text}>
            <button type="button" dir="auto" onClick={() => onSearch(text)}>
              {text}
            </button>
          </li>
        ))}
      </ul>
      <p>
        Press <kbd>/</kbd> to type. Drop or paste a picture to search by it. Click the picture of a result to find pictures like it, or its caption to search by
        that text.
      </p>
      {isMini && <p>The model mini knows emoji only. To search photographs, make the index with a CLIP model.</p>}
    </section>
  );
}
