/** Which column of a list holds what; undefined where there is none. */
export interface ListColumns {
  readonly url: string | undefined;
  readonly text: string | undefined;
  readonly language: string | undefined;
  readonly licence: string | undefined;
}

/** Names by which users of img2dataset, LAION's and DataComp's metadata call these columns, the likeliest first; case, blanks and dashes do not count. */
const names = {
  url: ['url', 'image_url', 'img_url', 'imageurl', 'image_link', 'img_src', 'src', 'link', 'uri', 'href', 'image'],
  text: ['text', 'caption', 'alt', 'alt_text', 'alttext', 'title', 'description', 'top_caption', 'prompt'],
  language: ['language', 'lang'],
  licence: ['licence', 'license'],
} as const;

/** Finds the columns by their usual names. A name that is given counts alone; one that is not there gives undefined. */
export function findListColumns(columns: readonly string[], given: { url?: string | undefined; text?: string | undefined } = {}): ListColumns {
  const find = (wanted: readonly string[]): string | undefined => {
    for (const name of wanted) {
      // Exactly so before otherwise spelt: a file may have `url` and `URL`.
      const found = columns.find((column) => column === name) ?? columns.find((column) => column.trim().toLowerCase() === name.toLowerCase());
      if (found !== undefined) return found;
    }
    // `Image URL` and `alt-text`, where no name is as it is written here.
    for (const name of wanted) {
      const found = columns.find((column) => underscored(column) === underscored(name));
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return {
    url: find(given.url === undefined ? names.url : [given.url]),
    text: find(given.text === undefined ? names.text : [given.text]),
    language: find(names.language),
    licence: find(names.licence),
  };
}

function underscored(name: string): string {
  return name
    .trim()
    .toLowerCase()
    .replaceAll(/[\s-]+/g, '_');
}
