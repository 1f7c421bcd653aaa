/** open_clip's basic_clean and whitespace_clean. */
export function cleanCaption(text: string): string {
  return text.toWellFormed().normalize('NFC').split(/\s+/u).filter(Boolean).join(' ');
}
