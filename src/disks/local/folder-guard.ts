import { dirname } from 'node:path/posix';
import { except, lstat } from '../../files/calls.ts';
import { wrongKind } from '../../files/file-kind.ts';

/** How long a folder that has been found to be one is not looked at again, unless something is changed in it. */
const KNOWN_MS = 5000;

/** How many folders are remembered at most. */
const MAX_KNOWN = 4096;

interface Known {
  until: number;
  isThere: Promise<boolean>;
}

/**
 * Sees to it that the way to a file leads through folders of the disk itself: a link would lead whoever writes or
 * removes there to somebody else's files. The disk's own folder may be a link.
 */
export class FolderGuard {
  readonly #root: string;
  readonly #known = new Map<string, Known>();

  /** @param root Absolute path of the disk's folder. */
  constructor(root: string) {
    this.#root = root;
  }

  /**
   * Passes where the folder and those above it, below the root, are folders as far as they are there. The outermost must
   * be there: every disk has it, and where it is missing, that says nothing of what should be in it.
   * @throws ENOTDIR where one of them is a link or something else
   */
  async check(folder: string): Promise<void> {
    await this.#isThere(folder);
  }

  /** The same, with a fresh look at the folder itself: for a caller that changes something in it. */
  async checkAnew(folder: string): Promise<void> {
    this.#known.delete(folder);
    await this.#isThere(folder);
  }

  /** Notes a folder that this process has just made, in one that has passed. */
  made(folder: string): void {
    this.#remember(folder, Promise.resolve(true));
  }

  /** From now on everything is looked at again. */
  forget(): void {
    this.#known.clear();
  }

  #isThere(folder: string): Promise<boolean> {
    if (folder === '.') return Promise.resolve(true);
    const known = this.#known.get(folder);
    if (known !== undefined && known.until > performance.now()) return known.isThere;
    const isThere = this.#look(folder);
    const entry = this.#remember(folder, isThere);
    const drop = (): void => {
      if (this.#known.get(folder) === entry) this.#known.delete(folder);
    };
    isThere.then((found) => {
      if (!found) drop();
    }, drop);
    return isThere;
  }

  async #look(folder: string): Promise<boolean> {
    if (!(await this.#isThere(dirname(folder)))) return false;
    const stats = await except(lstat(`${this.#root}/${folder}`), 'ENOENT', 'ENOTDIR');
    if (stats === undefined && dirname(folder) === '.')
      throw Object.assign(new Error(`ENOTDIR: there is no folder ${folder}`), { code: 'ENOTDIR' });
    if (stats === undefined || stats.isDirectory()) return stats !== undefined;
    throw wrongKind('ENOTDIR', stats, 'folder');
  }

  #remember(folder: string, isThere: Promise<boolean>): Known {
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    const entry = { until: performance.now() + KNOWN_MS, isThere };
    this.#known.set(folder, entry);
    return entry;
  }
}
