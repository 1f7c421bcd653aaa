/** The first `most` code points, and whether that is less than all. */
export function cutText(text: string, most: number): { text: string; cut: boolean } {
  if (text.length <= most) return { text, cut: false };
  let end = 0;
  for (let count = 0; count < most && end < text.length; count++) end += text.codePointAt(end)! > 0xffff ? 2 : 1;
  return end < text.length ? { text: text.slice(0, end).trimEnd(), cut: true } : { text, cut: false };
}
