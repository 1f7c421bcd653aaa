import { describe, expect, test } from 'vitest';
import { UsageError } from '../../src/contracts/errors.ts';
import { matchConnectTo, parseConnectTo } from '../../src/net/connect-to.ts';

describe('--connect-to', () => {
  test('the first rule that matches holds; empty means any, or unchanged', () => {
    const rules = ['pictures.test:80:127.0.0.1:8080', 'pictures.test::127.0.0.2:', ':443:[::1]:8443'].map(parseConnectTo);
    expect(matchConnectTo(rules, 'pictures.test', 80)).toEqual({ address: '127.0.0.1', port: 8080, anyHost: false });
    expect(matchConnectTo(rules, 'PICTURES.test', 8000)).toEqual({ address: '127.0.0.2', port: 8000, anyHost: false });
    expect(matchConnectTo(rules, 'other.test', 443)).toEqual({ address: '::1', port: 8443, anyHost: true });
    expect(matchConnectTo(rules, 'other.test', 80)).toBeUndefined();
  });

  test.each(['a:80:127.0.0.1', 'a:80:localhost:80', 'a:80::80', 'a:x:127.0.0.1:80', 'a:80:127.0.0.1:99999', ''])('%s is wrong usage', (text) => {
    expect(() => parseConnectTo(text)).toThrow(UsageError);
  });
});
