import { describe, expect, test } from 'vitest';
import { literalAddress, refusedRange } from '../../src/net/address-guard.ts';

describe('address guard', () => {
  test.each([
    '127.0.0.1',
    '127.8.8.8',
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '100.100.100.200',
    '0.0.0.0',
    '255.255.255.255',
    '224.0.0.1',
    '240.0.0.1',
    '192.0.0.192',
    '192.0.2.1',
    '198.51.100.1',
    '203.0.113.1',
    '198.18.0.1',
    '168.63.129.16',
    '::',
    '::1',
    'fe80::1',
    'fc00::1',
    'fd00:ec2::254',
    'fec0::1',
    'ff02::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '2001:0:53aa::1',
    '2001:db8::1',
    '4000::1',
    'not an address',
    '',
    '1.2.3',
  ])('refuses %s', (address) => {
    expect(refusedRange(address)).toBeTypeOf('string');
  });

  test.each(['8.8.8.8', '93.184.216.34', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450:4001::1'])('lets %s through', (address) => {
    expect(refusedRange(address)).toBeUndefined();
  });

  // The forms that inet_aton knows; the WHATWG parser turns each into an address.
  test.each([
    ['http://2130706433/', '127.0.0.1'],
    ['http://0x7f.1/', '127.0.0.1'],
    ['http://0177.0.0.1/', '127.0.0.1'],
    ['http://127.1/', '127.0.0.1'],
    ['http://①②⑦.0.0.1/', '127.0.0.1'],
    ['http://127.0.0.1./', '127.0.0.1'],
    ['http://[::ffff:127.0.0.1]/', '::ffff:7f00:1'],
    ['http://[::1]:8080/', '::1'],
  ])('finds the address in %s', (url, address) => {
    expect(literalAddress(new URL(url).hostname)).toBe(address);
  });

  test('a name is no address', () => {
    expect(literalAddress('example.com')).toBeUndefined();
    expect(literalAddress('1.2.3.4.example.com')).toBeUndefined();
  });
});
