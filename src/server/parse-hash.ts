import { HttpError } from './http-error.ts';

const LARGEST = 2n ** 63n - 1n;

/** A hash from a request: decimal digits, a signed number of 64 bits. Throws HttpError where it is none. */
export function parseHash(text: string): bigint {
  const value = /^-?\d{1,19}$/.test(text) ? BigInt(text) : undefined;
  if (value === undefined || value > LARGEST || value < -LARGEST - 1n)
    throw new HttpError(400, `${JSON.stringify(text)} is no hash: that is a whole number from -2^63 to 2^63 - 1.`);
  return value;
}
