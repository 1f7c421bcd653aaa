import { HTTPException } from 'hono/http-exception';

/** A request that can't be answered as it is; the message is shown to whoever sent it. */
export class HttpError extends HTTPException {
  constructor(status: 400 | 403 | 404 | 413 | 503, message: string) {
    super(status, { message });
  }
}
