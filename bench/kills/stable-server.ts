import { mkdir, readlink, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type EmbeddedServer, startEmbedded } from '../../src/db/embedded.ts';

/** A PostgreSQL outside the run that can be restarted under it: its socket is found under the same path each time. */
export class StableServer {
  readonly url: string;
  readonly #folder: string;
  readonly #link: string;
  #server: EmbeddedServer | undefined;

  /** `folder`: a short path, since that of a socket may have 107 bytes. */
  constructor(folder: string) {
    this.#folder = folder;
    this.#link = join(folder, 'socket');
    this.url = `postgres://postgres@/postgres?host=${encodeURIComponent(this.#link)}`;
  }

  async start(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    this.#server = await startEmbedded({ folder: this.#folder });
    await rm(this.#link, { force: true });
    await symlink(decodeURIComponent(new URL(this.#server.url.replace('postgres@/', 'postgres@host/')).searchParams.get('host')!), this.#link);
    await readlink(this.#link);
  }

  /** Ends it at once, as a crash does, and starts it again after a while (ms). */
  async restart(pauseMs: number): Promise<void> {
    const { pid } = this.#server!;
    process.kill(pid, 'SIGQUIT');
    await this.#server!.ended;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    await this.start();
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
  }
}
