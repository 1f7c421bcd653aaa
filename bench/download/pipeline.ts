import { download } from '../../src/stages/download/download.ts';

/** For the worker threads of `run-stage.ts`: the one stage, so that no other is loaded. */
export const pipeline = [download];
