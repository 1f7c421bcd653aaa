import { BlockList, isIP } from 'node:net';
import { UsageError } from '../../contracts/errors.ts';
import { parseConnectTo } from '../../net/connect-to.ts';
import type { DownloadOptions } from './options.ts';

/** Links that a run may ask of other people's servers without saying who asks. */
const MOST_LINKS = 10_000;

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

type Options = Pick<DownloadOptions, 'contact' | 'connectTo'>;

/** Throws UsageError where so many links would be asked for by nobody in particular. */
export function assertContact(options: Options, links: number): void {
  if (links <= MOST_LINKS || !isAnonymous(options)) return;
  throw new UsageError(
    `download would ask other people's servers for ${links.toLocaleString('en-US')} links, and without a contact their owners could only block it: say with --contact whom to write to, a URL or a mail address (up to ${MOST_LINKS.toLocaleString('en-US')} links go without).`,
  );
}

/** What a smaller run is told. */
export function contactWarning(options: Options): string[] {
  if (!isAnonymous(options)) return [];
  return [
    `the user agent names nobody whom the owners of the servers could write to. Give --contact, a URL or a mail address; more than ${MOST_LINKS.toLocaleString('en-US')} links are refused without it.`,
  ];
}

/** Throws UsageError where a contact is nothing that one could write to. */
export function checkContact(contact: string | undefined): void {
  if (contact === undefined || /^(?:mailto:)?[^\s@<>()]+@[^\s@<>()]+$/.test(contact)) return;
  const url = URL.canParse(contact) && !/[\s<>()]/.test(contact) ? new URL(contact) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw new UsageError(`--contact ${contact} is neither a URL nor a mail address. Give one such as https://example.org/crawler or crawler@example.org.`);
}

/** Whether no contact is given and requests may leave the machine: a rule for any host leads all of them to loopback. */
function isAnonymous({ contact, connectTo }: Options): boolean {
  if (contact !== undefined) return false;
  return !connectTo
    .map(parseConnectTo)
    .some(({ host, port, address }) => host === '' && port === '' && loopback.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6'));
}
