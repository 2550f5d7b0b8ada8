import { isStoreError, reasonOf } from '../errors.ts';
import type { Disk, DiskState } from './disk.ts';
import { DISK_MARK, compareDiskMark, MAX_MARK_BYTES, type DiskIdentity } from './identity.ts';

/** What a disk may hold that is nobody's: file systems make this one by themselves. */
export const IGNORED_NAMES: ReadonlySet<string> = new Set(['lost+found']);

/** Tells how a disk is by what it says of its mark. */
export class MarkReader {
  readonly #disk: Pick<Disk, 'stat' | 'read' | 'list'>;
  readonly #identity: DiskIdentity;
  readonly #isThere: () => Promise<boolean>;
  #knownStamp: string | undefined;

  /** @param isThere asked where there is no mark: whether the place of the disk is there at all */
  constructor(
    disk: Pick<Disk, 'stat' | 'read' | 'list'>,
    identity: DiskIdentity,
    isThere: () => Promise<boolean> = () => Promise.resolve(true),
  ) {
    this.#disk = disk;
    this.#identity = identity;
    this.#isThere = isThere;
  }

  /** Rejects only with OUT_OF_RESOURCES, which says nothing about the disk. */
  async state(): Promise<DiskState> {
    try {
      const stat = await this.#disk.stat(DISK_MARK);
      // The mark is read once; while its stamp stays, this is still the same file on the same file system.
      if (stat !== undefined && stat.stamp === this.#knownStamp) return { status: 'online', reason: 'online' };
      const state = stat === undefined ? await this.#unmarked() : await this.#compare();
      this.#knownStamp = state.status === 'online' ? stat?.stamp : undefined;
      return state;
    } catch (error) {
      if (isStoreError(error, 'OUT_OF_RESOURCES')) throw error;
      this.#knownStamp = undefined;
      return { status: 'unreadable', reason: reasonOf(isStoreError(error) ? error.cause : error) };
    }
  }

  async #compare(): Promise<DiskState> {
    const text = await this.#disk.read(DISK_MARK, { limit: MAX_MARK_BYTES });
    return compareDiskMark(text?.toString('utf8') ?? '', this.#identity);
  }

  async #unmarked(): Promise<DiskState> {
    if (!(await this.#isThere())) return { status: 'missing', reason: 'there is no such folder' };
    const isEmpty = (await this.#disk.list('.')).every(({ name }) => IGNORED_NAMES.has(name));
    return {
      status: isEmpty ? 'empty' : 'unmarked',
      reason: `there is no ${DISK_MARK} in it${isEmpty ? '' : ', but other files are'}`,
    };
  }
}
