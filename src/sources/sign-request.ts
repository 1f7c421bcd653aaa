import { z } from 'zod';
import { option } from '../contracts/option.ts';

/** Option of every stage that reads files from outside. */
export const signRequest = option(
  z.boolean().default(true),
  'Sign requests to s3:// where there are credentials; --no-sign-request reads public buckets without',
  {
    shared: true,
    decidesResult: false,
  },
);
