import type { SetName } from '../../contracts/records.ts';

/** The set to which a sample belongs by its language: the three of LAION-5B. */
export function setOfLanguage(language: string): SetName {
  if (language === '') return 'nolang';
  return language === 'en' ? 'en' : 'multi';
}
