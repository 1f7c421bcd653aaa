/**
 * Absolute URLs the WHATWG way: the same result as `new URL(url, base).href`, without a URL object where the URL is
 * in its final form already, as most are.
 */

/** Characters that `new URL` leaves as they are in a path, in a query and in a fragment. */
const PATH = "[A-Za-z0-9\\-_~!$&'()*+,;=:@/%.]*";
const REST = `(?:\\?[A-Za-z0-9\\-_~!$&()*+,;=:@/%.?]*)?(?:#[A-Za-z0-9\\-_~!$&'()*+,;=:@/%.?]*)?`;
/** The host in lower case, its last label of letters: no IP address, no port, no credentials. */
const HOST = '(?:[a-z0-9\\-]+\\.)+[a-z]+';
const FINAL = new RegExp(`^https?://${HOST}/${PATH}${REST}$`);
const ROOTED = new RegExp(`^/(?!/)${PATH}${REST}$`);
const RELATIVE = new RegExp(`^[A-Za-z0-9_\\-~%][A-Za-z0-9\\-_~!$&'()*+,;=@%.]*(?:/${PATH})?${REST}$`);
/** Dot segments would be resolved; xn-- labels are checked. */
const CHANGES = /\/\.|%2e|xn--/i;

/** Resolves URLs against one base. */
export class UrlResolver {
  readonly #base: URL | undefined;
  readonly #origin: string;
  readonly #scheme: string;
  readonly #folder: string;

  /** `href` is that of a base element, itself relative to the page's URL; one that does not parse is ignored. */
  constructor(pageUrl: string, href: string | undefined) {
    const page = URL.parse(pageUrl);
    const base = (href === undefined ? page : URL.parse(href, pageUrl)) ?? page ?? undefined;
    const http = base?.protocol === 'http:' || base?.protocol === 'https:';
    this.#base = base;
    this.#scheme = http ? base.protocol : '';
    this.#origin = http ? base.href.slice(0, base.href.indexOf('/', base.protocol.length + 2)) : '';
    this.#folder = http ? this.#origin + base.pathname.slice(0, base.pathname.lastIndexOf('/') + 1) : '';
  }

  /** The absolute URL, or undefined where `url` does not parse. */
  resolve(url: string): string | undefined {
    if (!CHANGES.test(url)) {
      if (FINAL.test(url)) return url;
      if (this.#origin !== '') {
        if (ROOTED.test(url)) return this.#origin + url;
        if (RELATIVE.test(url)) return this.#folder + url;
        if (url.startsWith('//') && FINAL.test(this.#scheme + url)) return this.#scheme + url;
      }
    }
    return (URL.parse(url, this.#base?.href) ?? undefined)?.href;
  }
}

/** The host of an absolute http(s) URL, without port. */
export function hostOf(href: string): string {
  const start = href.indexOf('//') + 2;
  let end = href.length;
  for (const sign of ['/', '?', '#']) {
    const at = href.indexOf(sign, start);
    if (at >= 0 && at < end) end = at;
  }
  const authority = href.slice(href.lastIndexOf('@', end - 1) >= start ? href.lastIndexOf('@', end - 1) + 1 : start, end);
  return authority.replace(/:\d*$/, '');
}

/** The extension of the last segment of the path, in lower case; empty where it has none. */
export function extensionOf(href: string): string {
  const end = href.search(/[?#]/);
  const path = end < 0 ? href : href.slice(0, end);
  const dot = path.lastIndexOf('.');
  return dot > path.lastIndexOf('/') ? path.slice(dot + 1).toLowerCase() : '';
}
