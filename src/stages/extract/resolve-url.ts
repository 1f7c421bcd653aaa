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

/** The host of an absolute http(s) URL as `new URL` writes it, without credentials and port. */
export function hostOf(href: string): string {
  const start = href.indexOf('//') + 2;
  const authority = href.slice(start, href.indexOf('/', start));
  return authority.includes(':') || authority.includes('@') ? authority.slice(authority.lastIndexOf('@') + 1).replace(/:\d*$/, '') : authority;
}

/** The extension of the last segment of the path, in lower case; empty where it has none. */
export function extensionOf(href: string): string {
  // The path ends at the first of these.
  let end = href.indexOf('?');
  const fragment = href.indexOf('#');
  if (end < 0 || (fragment >= 0 && fragment < end)) end = fragment;
  if (end < 0) end = href.length;
  for (let at = end - 1; at >= 0; at--) {
    const code = href.charCodeAt(at);
    if (code === 0x2f) return '';
    if (code === 0x2e) return href.slice(at + 1, end).toLowerCase();
  }
  return '';
}
