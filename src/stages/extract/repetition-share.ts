/**
 * The share of the words that the longest repeated run of words covers, all its occurrences together; of several runs
 * of that length the one that covers most. 0 where no word comes twice.
 */
export function repetitionShare(words: readonly string[]): number {
  if (words.length < 2 || new Set(words).size === words.length) return 0;
  // Mostly it is single words, such as "the", that come again.
  if (coverage(words, 2) === 0) return coverage(words, 1) / words.length;
  // If a run of n words comes twice, so does one of n - 1: the longest is found by halving.
  let low = 2;
  let high = words.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (coverage(words, middle) > 0) low = middle;
    else high = middle - 1;
  }
  return coverage(words, low) / words.length;
}

/** Most words covered by the occurrences of one run of `n` words that comes twice or more; 0 where there is none. */
function coverage(words: readonly string[], n: number): number {
  const seen = new Map<string, { covered: number; end: number }>();
  let most = 0;
  for (let start = 0; start + n <= words.length; start++) {
    const run = n === 1 ? words[start]! : words.slice(start, start + n).join(' ');
    const before = seen.get(run);
    if (!before) seen.set(run, { covered: n, end: start + n });
    else {
      before.covered += start + n - Math.max(start, before.end);
      before.end = start + n;
      most = Math.max(most, before.covered);
    }
  }
  return most;
}

/** A text of more words takes `repetitionShare`: the time of the other grows with the square of their number. */
export const FEW_WORDS = 64;

/** For each word the position of the first one like it. Used again for the next text. */
const first = new Int32Array(FEW_WORDS);

/**
 * The same for a text of few words, as most captions are, from the hashes of its words and the offsets at which they end, without
 * a string for each.
 */
export function shortRepetitionShare(text: string, count: number, hashes: Int32Array, ends: Int32Array): number {
  let repeated = false;
  for (let i = 0; i < count; i++) {
    let earlier = 0;
    while (earlier < i && !(hashes[earlier] === hashes[i] && word(text, ends, earlier) === word(text, ends, i))) earlier++;
    first[i] = earlier;
    repeated ||= earlier < i;
  }
  if (!repeated) return 0;
  let longest = 1;
  for (let a = 0; a + longest < count; a++) {
    for (let b = a + 1; b + longest < count; b++) {
      let length = 0;
      while (b + length < count && first[a + length] === first[b + length]) length++;
      if (length > longest) longest = length;
    }
  }
  let most = 0;
  for (let a = 0; a + longest < count; a++) {
    let covered = longest;
    let end = a + longest;
    for (let b = a + 1; b + longest <= count; b++) {
      let length = 0;
      while (length < longest && first[a + length] === first[b + length]) length++;
      if (length < longest) continue;
      covered += b + longest - Math.max(b, end);
      end = b + longest;
    }
    if (covered > longest && covered > most) most = covered;
  }
  return most / count;
}

function word(text: string, ends: Int32Array, position: number): string {
  return text.slice(position === 0 ? 0 : ends[position - 1]! + 1, ends[position]);
}
