import * as path from 'node:path';
import { Grouped } from '../concurrency/grouped.ts';
import { answerWithin, NO_ANSWER } from '../concurrency/patience.ts';
import { FileThread, type Job } from '../files/file-thread.ts';

/** Files that are read in one go, at most. */
const MOST = 512;

/** Fewer files than so many are as fast in Node's pool. */
const LEAST = 4;

/** Files that have not come after so many milliseconds are not waited for together: one of them may keep the others. */
const PATIENCE_MS = 2000;

/** Reads small files that are to be stored, many at once, in a thread of its own. */
export class SmallFiles {
  #thread = new FileThread();
  readonly #reads = new Grouped<string, Buffer | 'elsewhere'>((paths) => this.#read(paths), {
    weigh: () => 1,
    most: MOST,
    atOnce: 1,
  });

  /** All bytes of a file; undefined for one that is large, slow, changes, or can't be read: whoever reads it by itself is told why. */
  async read(file: string): Promise<Buffer | undefined> {
    const bytes = await this.#reads.do(file);
    return bytes === 'elsewhere' ? undefined : bytes;
  }

  async #read(paths: readonly string[]): Promise<(Buffer | 'elsewhere')[]> {
    const elsewhere = paths.map((): Buffer | 'elsewhere' => 'elsewhere');
    if (paths.length < LEAST) return elsewhere;
    const jobs = paths.map((file): Job => [{ do: 'read-source', path: path.resolve(file) }]);
    const waiting = { milliseconds: PATIENCE_MS, notice: PATIENCE_MS, onNotice: () => undefined };
    const done = await answerWithin(this.#thread.run('', jobs), waiting);
    if (done === NO_ANSWER) {
      // Whatever it hangs on keeps the thread; the next ones get another.
      this.#thread = new FileThread();
      return elsewhere;
    }
    const { outcomes, bytes } = done;
    return outcomes.map(({ from, to }) =>
      from === undefined || to === undefined ? 'elsewhere' : Buffer.from(bytes, from, to - from),
    );
  }
}
