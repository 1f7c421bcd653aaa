import { download } from '../../src/stages/download/download.ts';
import { list } from '../../src/stages/list/list.ts';

/** For the worker threads of `run-stage.ts`: the two stages, so that no other is loaded. */
export const pipeline = [list, download];
