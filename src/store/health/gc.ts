import { dirname } from 'node:path/posix';
import { exhaust, forEachAtOnce } from '../../concurrency/workers.ts';
import { STAGING_FOLDER, type Disk, type DiskEntry, type FileStat, type RemoveOptions } from '../../disks/disk.ts';
import { describeOffline, type OfflineDisk } from '../../disks/disk-set.ts';
import { diskFault, must, throwIfAborted } from '../../errors.ts';
import { lockName } from '../../locks/locks.ts';
import type { ObjectMeta } from '../../metadata/meta.ts';
import { byUpload, CHUNKS_FOLDER, isFanOut, SET_ASIDE, uploadIdOf } from '../../metadata/shard-file.ts';
import type { StoreContext } from '../protocol/context.ts';
import { flushDisks } from '../protocol/flush.ts';
import { Operation } from '../protocol/operation.ts';
import type { Settled } from './decision.ts';
import { Settler, sortOut } from './settle.ts';
import { GOES_ON, Walk, type WalkRules } from '../protocol/walk.ts';

export interface GcOptions {
  /** Look and report, change nothing. */
  dryRun?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/** What `gc` removed or mended, or would have with `dryRun`. */
export interface GcReport {
  /** Chunk files that no meta refers to, and their bytes. */
  leftoverChunks: number;
  leftoverBytes: number;
  /** Documents that an operation staged and died before it published them. */
  stagedFiles: number;
  /** Objects and buckets whose tombstone had reached all disks and is gone now. */
  tombstones: number;
  /** Objects and buckets whose copies differed, because a commit died or a disk was away, and agree now. */
  settled: number;
  /** Uploads whose chunks somebody was writing or reading: left alone. */
  inUse: number;
  /** Why leftover chunks were kept, in words; none if they were not. */
  kept: string[];
  /** What could not be removed or mended, in words; the rest has been. */
  failed: string[];
}

const AT_ONCE = 16;

/** A chunk's file that no meta refers to. */
interface Leftover {
  disk: Disk;
  /** Below the disk. */
  path: string;
}

/**
 * Reclaims what operations that died have left behind.
 *
 * The order of steps is what makes it safe beside live operations. The id of an upload is locked from before its first
 * file until after its commit. So a file that is there, and whose upload nobody locks, will never be committed later than
 * now; if the walk over all metas, which comes after, does not meet it, nothing refers to it. The one exception is a commit
 * that is taken back, after which the version before counts again: such a commit holds the locks of that version's uploads,
 * and leaves a mark that is looked for before anything is removed. And because metas that the walk has not met may come
 * back when the power goes, the disks are flushed between the walk and the first removal.
 */
export async function gc(context: StoreContext, options: GcOptions): Promise<GcReport> {
  return Operation.run(context, { signal: options.signal }, (operation) =>
    new Sweep(operation, options.dryRun ?? false).run(),
  );
}

class Sweep {
  readonly #operation: Operation;
  readonly #settler: Settler;
  readonly #dryRun: boolean;
  readonly #done = { leftoverChunks: 0, leftoverBytes: 0, stagedFiles: 0, tombstones: 0, settled: 0, inUse: 0 };
  readonly #kept: string[] = [];
  readonly #failed: string[] = [];
  /**
   * Files of uploads that were idle before the walk, as `<disk>/<path>`; without those that the metas met so far refer to. One
   * flat set, because at first it has the files of all chunks.
   */
  readonly #leftovers = new Set<string>();

  /** A folder that can't be listed keeps the leftovers, and nothing else. */
  readonly #walk: Walk;

  /** The locks' stamp at the beginning: it changes when a commit is taken back, and what that replaced counts again. */
  #stamp = '';
  /** A disk that has gone while the metas were walked. */
  #lost: OfflineDisk | undefined;
  #wasTakenBack = false;
  /** Set where copies could not be brought into step, so that it is unknown what they will refer to. */
  #isUnsettled = false;

  constructor(operation: Operation, dryRun: boolean) {
    const { context, view, signal } = operation;
    this.#operation = operation;
    this.#settler = new Settler(context, view, { dryRun, mend: false, signal });
    this.#dryRun = dryRun;
    const onLooked = (): Promise<void> => this.#lookForLost();
    const onLeft: WalkRules['onLeft'] = (folder, disks) => this.#removeFolder(folder, disks);
    this.#walk = new Walk(context, view, {}, { ...GOES_ON, onLooked, onLeft });
  }

  async run(): Promise<GcReport> {
    const { context, session, view } = this.#operation;
    this.#stamp = await session.stamp();
    await this.#removeStaged();
    await this.#findIdle();
    await this.#walkBuckets();
    this.#kept.unshift(...this.#walk.unreadable.reasons());
    // A meta that can't be seen now may refer to any of the chunks: an offline disk's, or one that is damaged.
    const away = this.#lost === undefined ? view.offline : [...view.offline, this.#lost];
    if (away.length > 0) this.#kept.unshift(describeOffline(away));
    if (this.#kept.length === 0 && this.#leftovers.size > 0 && !this.#dryRun)
      this.#kept.push(...(await flushDisks(context, view.online)));
    if (this.#kept.length === 0 && !this.#isUnsettled)
      await forEachAtOnce(this.#leftoversByUpload(), AT_ONCE, ([id, files]) => this.#removeLeftovers(id, files));
    if (this.#wasTakenBack) this.#kept.push('a commit was taken back or chunks were moved meanwhile; run gc again');
    return { ...this.#done, kept: this.#kept, failed: this.#failed };
  }

  async #removeStaged(): Promise<void> {
    for (const disk of this.#operation.view.online) {
      for (const { name } of await this.#list(disk, STAGING_FOLDER)) {
        if (this.#isIdle(name) && (await this.#remove(disk, `${STAGING_FOLDER}/${name}`))) this.#done.stagedFiles++;
      }
    }
  }

  /** What is in a folder; one that can't be read keeps what no meta refers to, because it is not known. */
  async #list(disk: Disk, folder: string): Promise<DiskEntry[]> {
    try {
      return await disk.list(folder);
    } catch (error) {
      this.#kept.push(diskFault(error).message);
      return [];
    }
  }

  /** Nobody is at work on the id now; and since every operation mints its own, nobody will be. */
  #isIdle(id: string): boolean {
    const name = lockName.upload(id);
    const { id: own, session } = this.#operation;
    if (id === own || !session.tryLock(name, 'exclusive')) return false;
    session.unlock(name);
    return true;
  }

  async #findIdle(): Promise<void> {
    const uploads = new Map<string, boolean>();
    const isIdle = (id: string): boolean => {
      const known = uploads.get(id) ?? this.#isIdle(id);
      uploads.set(id, known);
      return known;
    };
    for (const disk of this.#operation.view.online) {
      const fanOuts = (await this.#list(disk, CHUNKS_FOLDER)).filter(
        ({ name, isFolder }) => isFolder && isFanOut(name),
      );
      await forEachAtOnce(fanOuts, AT_ONCE, async ({ name: fanOut }) => {
        try {
          for (const { name } of await disk.list(`${CHUNKS_FOLDER}/${fanOut}`)) {
            const path = `${CHUNKS_FOLDER}/${fanOut}/${name}`;
            const id = uploadIdOf(shardFile(path));
            if (id !== undefined && isIdle(id)) this.#leftovers.add(`${disk.name}/${path}`);
          }
        } catch (error) {
          this.#fail(error);
        }
      });
    }
    for (const known of uploads.values()) if (!known) this.#done.inUse++;
  }

  async #walkBuckets(): Promise<void> {
    for (const bucket of await this.#walk.buckets()) {
      const settled = this.#walk.metasIn(this.#walk.top(bucket), async (slice) => {
        throwIfAborted(this.#operation.signal);
        const { agreed, rest } = sortOut(slice);
        for (const meta of agreed) this.#keep(meta);
        await this.#settler.keys(rest, ({ isInUnreadable }, settle) => this.#settle(settle, isInUnreadable));
      });
      await exhaust(settled);
      await this.#settle(() => this.#settler.bucket(bucket));
    }
  }

  /** A disk that has gone meanwhile reads as if it were empty. */
  async #lookForLost(): Promise<void> {
    const { context, view } = this.#operation;
    const { offline } = await context.disks.look();
    this.#lost ??= offline.find(({ disk }) => view.online.some(({ name }) => name === disk));
  }

  /** Removes a folder that leads to no key any more. One that an upload needs this moment it makes again. */
  async #removeFolder(folder: string, disks: readonly Disk[]): Promise<void> {
    if (this.#dryRun) return;
    for (const disk of disks) {
      if (this.#walk.unreadable.has(disk, folder)) continue;
      await disk.removeFolder(folder).catch((error: unknown) => {
        this.#fail(error);
      });
    }
  }

  /** @param isKept the folder's failure is a reason to keep leftovers already: that of each key in it would be one too many */
  async #settle(settle: () => Promise<Settled>, isKept = false): Promise<void> {
    throwIfAborted(this.#operation.signal);
    let settled: Settled;
    try {
      settled = await settle();
    } catch (error) {
      this.#fail(error);
      this.#isUnsettled = true;
      return;
    }
    const { outcome, live, problem } = settled;
    if (outcome === 'settled') this.#done.settled++;
    if (outcome === 'removed') this.#done.tombstones++;
    if (problem !== undefined && !isKept) this.#kept.push(problem);
    for (const meta of live) this.#keep(meta);
  }

  /** Notes what a meta refers to. */
  #keep({ chunks, parity }: ObjectMeta): void {
    for (const { disk, file } of [...chunks, ...parity]) {
      this.#leftovers.delete(`${disk}/${file}`);
      this.#leftovers.delete(`${disk}/${file}${SET_ASIDE}`);
    }
  }

  #leftoversByUpload(): Map<string, Leftover[]> {
    const disks = new Map(this.#operation.view.online.map((disk) => [disk.name, disk]));
    const leftovers = [...this.#leftovers].map((place) => {
      const end = place.indexOf('/');
      const path = place.slice(end + 1);
      return { disk: must(disks.get(place.slice(0, end)), 'disk of a leftover'), path, file: shardFile(path) };
    });
    return byUpload(leftovers);
  }

  async #removeLeftovers(id: string, leftovers: readonly Leftover[]): Promise<void> {
    throwIfAborted(this.#operation.signal);
    const { session } = this.#operation;
    const lock = lockName.upload(id);
    // A reader may have come to a version with these chunks since they were found idle, and lost it to a newer one while it reads.
    if (!session.tryLock(lock, 'exclusive')) {
      this.#done.inUse++;
      return;
    }
    try {
      // A commit holds what it replaces, so with this lock held every such commit has ended, one way or the other.
      if ((await session.stamp()) !== this.#stamp) {
        this.#wasTakenBack = true;
        return;
      }
      for (const leftover of leftovers) await this.#removeLeftover(leftover);
    } finally {
      session.unlock(lock);
    }
  }

  async #removeLeftover({ disk, path }: Leftover): Promise<void> {
    let found: FileStat | undefined;
    try {
      found = await disk.stat(path);
    } catch (error) {
      this.#fail(error);
    }
    // Another gc may have been faster.
    if (found === undefined || !(await this.#remove(disk, path, { evenFolder: true }))) return;
    this.#done.leftoverBytes += found.size;
    this.#done.leftoverChunks++;
  }

  /** Removes a file, or would, and tells whether it is gone. One that can't be removed must not keep the others. */
  async #remove(disk: Disk, path: string, how: Pick<RemoveOptions, 'evenFolder'> = {}): Promise<boolean> {
    if (this.#dryRun) return true;
    try {
      await disk.remove(path, { within: dirname(path), durable: false, ...how });
      return true;
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  #fail(error: unknown): void {
    this.#failed.push(diskFault(error).message);
  }
}

/** What a file in a fan-out folder is called when it is not set aside. */
function shardFile(path: string): string {
  return path.endsWith(SET_ASIDE) ? path.slice(0, -SET_ASIDE.length) : path;
}
