import * as path from 'node:path';
import { Grouped } from '../concurrency/grouped.ts';
import { FileThread, type Job } from '../files/file-thread.ts';

/** Files that are read in one go, at most. */
const MOST = 128;

/** Fewer files than so many are as fast in Node's pool. */
const LEAST = 4;

/** Reads small files that are to be stored, many at once, in a thread of its own: where they hang, only who waits for them does. */
export class SmallFiles {
  readonly #thread = new FileThread();
  readonly #reads = new Grouped<string, Buffer | 'elsewhere'>((paths) => this.#read(paths), {
    weigh: () => 1,
    most: MOST,
    atOnce: 1,
  });

  /** All bytes of a file; undefined for one that is large, changes, or can't be read: whoever reads it by itself is told why. */
  async read(file: string): Promise<Buffer | undefined> {
    const bytes = await this.#reads.do(file);
    return bytes === 'elsewhere' ? undefined : bytes;
  }

  async #read(paths: readonly string[]): Promise<(Buffer | 'elsewhere')[]> {
    if (paths.length < LEAST) return paths.map(() => 'elsewhere');
    const jobs = paths.map((file): Job => [{ do: 'read-source', path: path.resolve(file) }]);
    const { outcomes, bytes } = await this.#thread.run('', jobs);
    return outcomes.map(({ from, to }) =>
      from === undefined || to === undefined ? 'elsewhere' : Buffer.from(bytes, from, to - from),
    );
  }
}
