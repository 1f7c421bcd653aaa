import { useState } from 'react';
import type { SearchResult } from '../../src/contracts/search-api.ts';
import styles from './ResultGrid.module.css';

/** A result's picture: from this server, or where it has none from where it was found, without saying who asks; else a few words in its place. */
export function Picture({ result, className }: { result: SearchResult; className?: string | undefined }): React.JSX.Element {
  const [failed, setFailed] = useState(0);
  const addresses = [result.image, result.url].filter((address): address is string => Boolean(address));
  const address = addresses[failed];
  if (address === undefined)
    return <span className={`${className ?? ''} ${styles['broken']}`}>{addresses.length === 0 ? 'There is no picture' : 'The picture is gone'}</span>;
  return (
    <img
      className={className}
      src={address}
      alt={result.caption}
      width={result.width ?? undefined}
      height={result.height ?? undefined}
      loading="lazy"
      decoding="async"
      referrerPolicy="no-referrer"
      onError={() => setFailed(failed + 1)}
    />
  );
}
