import { useState } from 'react';
import type { SearchResult } from '../../src/contracts/search-api.ts';
import styles from './ResultGrid.module.css';

/** A result's picture: from this server, or where it has none from where it was found, without saying who asks. */
export function Picture({ result, className }: { result: SearchResult; className?: string | undefined }): React.JSX.Element {
  const [broken, setBroken] = useState(false);
  if (broken) return <span className={`${className ?? ''} ${styles['broken']}`}>The picture is gone</span>;
  return (
    <img
      className={className}
      src={result.image ?? result.url}
      alt={result.caption}
      width={result.width}
      height={result.height}
      loading="lazy"
      decoding="async"
      referrerPolicy="no-referrer"
      onError={() => setBroken(true)}
    />
  );
}
