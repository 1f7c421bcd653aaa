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
          with <kbd>--model</kbd> to search by these; until then, begin with a sample and go on to its like.
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
  return (
    <section className={styles['start']}>
      <h2>Try</h2>
      <ul>
        {(index.model === 'mini' ? emojiExamples : examples).map((text) => (
          <li key={text}>
            <button type="button" dir="auto" onClick={() => onSearch(text)}>
              {text}
            </button>
          </li>
        ))}
      </ul>
      <p>
        Press <kbd>/</kbd> to search, drop or paste a picture to search by it. A click on a result’s picture finds its like; a click on its caption searches by
        that.
      </p>
    </section>
  );
}
