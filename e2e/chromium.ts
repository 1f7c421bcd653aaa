import { existsSync } from 'node:fs';

const given = process.env['PAIRMILL_CHROMIUM'];
if (given && !existsSync(given)) throw new Error(`PAIRMILL_CHROMIUM names ${given}, which does not exist`);

/** The browser of the tests: Debian's package `chromium`, or what PAIRMILL_CHROMIUM names. */
export const chromiumPath: string | undefined = given || ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path));
