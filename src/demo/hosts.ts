// The hosts of the web. All are under .test, a top-level domain that no name server answers for.

export type HostRole =
  /** robots.txt allows everything. */
  | 'open'
  /** robots.txt answers 404, or with a page that is none: everything is allowed. */
  | 'no-robots'
  /** robots.txt shuts a folder and a query to everyone. */
  | 'partly-closed'
  /** robots.txt shuts a folder to pairmill, and another to everyone else. */
  | 'closed-to-pairmill'
  /** robots.txt shuts the whole host to everyone. */
  | 'closed'
  /** Its name is longer than any host worth crawling. */
  | 'long-name';

export interface Host {
  name: string;
  role: HostRole;
  /** Null: robots.txt answers 404. */
  robots: { body: string; type: string } | null;
}

const everything = 'User-agent: *\nDisallow:\n';
const partly = [
  '# Press pictures are for everyone.',
  'User-agent: *',
  'Disallow: /private/',
  'Allow: /private/press/',
  'Disallow: /*?session=',
  '',
  'Sitemap: /sitemap.xml',
  '',
].join('\n');
const forPairmill = 'User-agent: otherbot\nDisallow: /\n\nUser-agent: Pairmill\nDisallow: /members/\n\nUser-agent: *\nDisallow: /cgi-bin/\n';
const nothing = 'User-agent: *\nDisallow: /\n';
const soft404 = '<!DOCTYPE html><html><head><title>Oops</title></head><body><p>Not here.</p></body></html>\n';

const namesByRole: Record<HostRole, string[]> = {
  open: [
    'pictures.test',
    'bilder.test',
    'images.cdn-one.test',
    'static.cdn-two.test',
    'fotos.test',
    'obrazki.test',
    'kuvat.test',
    'xn--bcher-kva.test',
    'photos.example-news.test',
    'shop.test',
    'blog.test',
    'media.wiki.test',
  ],
  'no-robots': ['img.test', 'www.galerie.test', 'gambar.test', 'kartinki.test', 'old-homepage.test'],
  'partly-closed': ['archive.test', 'imagens.test', 'immagini.test', 'plaatjes.test'],
  'closed-to-pairmill': ['studio.test', 'club.test', 'agency.test'],
  closed: ['nobody.test', 'quiet.test'],
  'long-name': ['a-photo-archive-with-a-name-that-nobody-ever-types-in-full.pictures.test'],
};

const robotsByRole: Record<HostRole, string | null> = {
  open: everything,
  'no-robots': null,
  'partly-closed': partly,
  'closed-to-pairmill': forPairmill,
  closed: nothing,
  'long-name': everything,
};

export const hosts: readonly Host[] = (Object.keys(namesByRole) as HostRole[]).flatMap((role) =>
  namesByRole[role].map((name) => {
    // Many a host answers robots.txt with a page and status 200: no rule in it, so nothing is closed.
    if (name === 'old-homepage.test') return { name, role, robots: { body: soft404, type: 'text/html; charset=utf-8' } };
    const body = robotsByRole[role];
    return { name, role, robots: body === null ? null : { body, type: 'text/plain; charset=utf-8' } };
  }),
);

export function hostsOf(...roles: HostRole[]): string[] {
  return hosts.filter((host) => roles.includes(host.role)).map((host) => host.name);
}

/** Where pages and ordinary pictures live. */
export const ordinaryHosts = hostsOf('open', 'no-robots', 'partly-closed', 'closed-to-pairmill');
