import { useEffect, useRef, useState } from 'react';
import styles from './SearchBox.module.css';

interface SearchBoxProps {
  text: string;
  like: string;
  picture: File | undefined;
  onText(text: string): void;
  onPicture(file: File): void;
  onClear(): void;
}

/** A search by text, by a picture that is chosen, dropped or pasted, or by a result's picture. `/` leads here. */
export function SearchBox({ text, like, picture, onText, onPicture, onClear }: SearchBoxProps): React.JSX.Element {
  const [draft, setDraft] = useState(text);
  const [dragging, setDragging] = useState(false);
  /** An address that has no picture: the result's own is not on this server. */
  const [missing, setMissing] = useState<string>();
  const input = useRef<HTMLInputElement>(null);
  const file = useRef<HTMLInputElement>(null);
  const preview = usePreview(picture);

  useEffect(() => setDraft(text), [text, like, picture]);

  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement;
      if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      input.current?.focus();
      input.current?.select();
    };
    const onPaste = (event: ClipboardEvent): void => take(event.clipboardData);
    // The whole page takes a dropped picture: else a near miss would open it in place of the page.
    const onDragOver = (event: DragEvent): void => {
      event.preventDefault();
      setDragging(true);
    };
    const onDragEnd = (event: DragEvent): void => {
      if (event.type === 'drop') event.preventDefault();
      if (event.type === 'drop' || event.relatedTarget === null) setDragging(false);
      if (event.type === 'drop') take(event.dataTransfer);
    };
    const take = (data: DataTransfer | null): void => {
      const dropped = [...(data?.files ?? [])].find(({ type }) => type.startsWith('image/'));
      if (dropped) onPicture(dropped);
    };
    addEventListener('keydown', onKey);
    addEventListener('paste', onPaste);
    addEventListener('dragover', onDragOver);
    addEventListener('dragleave', onDragEnd);
    addEventListener('drop', onDragEnd);
    return () => {
      removeEventListener('keydown', onKey);
      removeEventListener('paste', onPaste);
      removeEventListener('dragover', onDragOver);
      removeEventListener('dragleave', onDragEnd);
      removeEventListener('drop', onDragEnd);
    };
  });

  const byPicture = preview ?? (like ? `/images/hash/${like}` : undefined);
  return (
    <form
      role="search"
      className={dragging ? `${styles['box']} ${styles['dragging']}` : styles['box']}
      onSubmit={(event) => {
        event.preventDefault();
        if (draft.trim()) onText(draft.trim());
      }}
    >
      {byPicture && (
        <span className={styles['picture']}>
          {missing !== byPicture && <img src={byPicture} alt="" onError={() => setMissing(byPicture)} />}
          <span>{picture ? 'Your picture' : 'Pictures like this'}</span>
          <button type="button" onClick={onClear} aria-label="Stop searching by this picture">
            ×
          </button>
        </span>
      )}
      <input
        ref={input}
        type="search"
        name="q"
        aria-label="Search by text, in any language"
        placeholder={dragging ? 'Drop the picture' : byPicture ? 'or search by text' : 'Search in any language, or drop a picture'}
        value={draft}
        dir="auto"
        autoComplete="off"
        autoFocus
        maxLength={1000}
        onChange={(event) => setDraft(event.target.value)}
      />
      <button
        type="button"
        className={styles['tool']}
        aria-label="Search by a picture of yours"
        title="Search by a picture of yours"
        onClick={() => file.current?.click()}
      >
        <svg viewBox="0 0 24 24" width="22" height="22" fill="none" stroke="currentColor" strokeWidth="1.8" strokeLinejoin="round" aria-hidden="true">
          <path d="M4 8h3.5L9 5.5h6L16.5 8H20v11H4z" />
          <circle cx="12" cy="13" r="3.4" />
        </svg>
      </button>
      <input
        ref={file}
        type="file"
        accept="image/jpeg,image/png,image/webp"
        hidden
        aria-label="Picture to search by"
        onChange={(event) => {
          const [chosen] = event.target.files ?? [];
          if (chosen) onPicture(chosen);
          event.target.value = '';
        }}
      />
      <button type="submit" className={styles['submit']}>
        Search
      </button>
    </form>
  );
}

/** An address for the picture, for as long as it is shown. */
function usePreview(picture: File | undefined): string | undefined {
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    if (!picture) {
      setUrl(undefined);
      return;
    }
    const made = URL.createObjectURL(picture);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [picture]);
  return url;
}
