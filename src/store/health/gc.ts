import { basename } from 'node:path/posix';
import { forEachAtOnce } from '../../concurrency/workers.ts';
import { STAGING_FOLDER, type Disk, type DiskEntry } from '../../disks/disk.ts';
import { describeOffline, type OfflineDisk } from '../../disks/disk-set.ts';
import { diskFault, throwIfAborted } from '../../errors.ts';
import { lockName } from '../../locks/locks.ts';
import { CHUNKS_FOLDER, SET_ASIDE } from '../../metadata/meta.ts';
import { isVersion } from '../../metadata/version.ts';
import type { StoreContext } from '../protocol/context.ts';
import { flushDisks } from '../protocol/flush.ts';
import { Operation } from '../protocol/operation.ts';
import { Settler, type Settled } from './settle.ts';
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
  /** Versions that somebody was writing or reading: left alone. */
  inUse: number;
  /** Why leftover chunks were kept, in words; none if they were not. */
  kept: string[];
  /** What could not be removed or mended, in words; the rest has been. */
  failed: string[];
}

const AT_ONCE = 16;

/**
 * Reclaims what operations that died have left behind.
 *
 * The order of steps is what makes it safe beside live operations. An upload holds its version's lock from before its
 * first file until after its commit. So a version's folder that is there, and that nobody locks, will never be committed
 * later than now; if the walk over all metas, which comes after, does not meet it, nothing refers to it. The one
 * exception is a commit that is taken back, after which the version before counts again: such a commit holds that
 * version's lock, and leaves a mark that is looked for before anything is removed. And because metas that the walk has not
 * met may come back when the power goes, the disks are flushed between the walk and the first removal.
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
  /** Files by folder and disk that metas refer to, for the versions that were idle when the walk began. */
  readonly #folders = new Map<string, Map<Disk, Set<string>>>();

  /** A folder that can't be listed keeps the leftovers, and nothing else. */
  readonly #walk: Walk;

  /** What is no folder, in the place of a version's folder, by disk and path. */
  readonly #misplaced = new Set<string>();

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
    const onListed = (): Promise<void> => this.#lookForLost();
    const onLeft: WalkRules['onLeft'] = (folder, disks) => this.#removeFolder(folder, disks);
    this.#walk = new Walk(context, view, {}, { ...GOES_ON, onListed, onLeft });
  }

  async run(): Promise<GcReport> {
    const { context, session, view } = this.#operation;
    this.#stamp = await session.stamp();
    await this.#removeStaged();
    await this.#findIdleVersions();
    await this.#walkBuckets();
    this.#kept.unshift(...this.#walk.unreadable.reasons());
    // A meta that can't be seen now may refer to any of the chunks: an offline disk's, or one that is damaged.
    const away = this.#lost === undefined ? view.offline : [...view.offline, this.#lost];
    if (away.length > 0) this.#kept.unshift(describeOffline(away));
    if (this.#kept.length === 0 && this.#folders.size > 0 && !this.#dryRun)
      this.#kept.push(...(await flushDisks(context, view.online)));
    if (this.#kept.length === 0 && !this.#isUnsettled)
      await forEachAtOnce(this.#folders, AT_ONCE, ([folder, disks]) => this.#removeLeftover(folder, disks));
    if (this.#wasTakenBack) this.#kept.push('a commit was taken back or chunks were moved meanwhile; run gc again');
    return { ...this.#done, kept: this.#kept, failed: this.#failed };
  }

  async #removeStaged(): Promise<void> {
    for (const disk of this.#operation.view.online) {
      for (const { name } of await this.#list(disk, STAGING_FOLDER)) {
        if (this.#isIdle(name) && (await this.#remove(disk, STAGING_FOLDER, name))) this.#done.stagedFiles++;
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
    const name = lockName.version(id);
    const { id: own, session } = this.#operation;
    if (id === own || !session.tryLock(name, 'exclusive')) return false;
    session.unlock(name);
    return true;
  }

  async #findIdleVersions(): Promise<void> {
    const busy = new Set<string>();
    for (const disk of this.#operation.view.online) {
      for (const { name, isFolder } of await this.#list(disk, CHUNKS_FOLDER)) {
        if (!isVersion(name) || busy.has(name)) continue;
        const folder = `${CHUNKS_FOLDER}/${name}`;
        if (!isFolder) this.#misplaced.add(`${disk.name}/${folder}`);
        let disks = this.#folders.get(folder);
        if (disks === undefined) {
          if (!this.#isIdle(name)) {
            busy.add(name);
            continue;
          }
          disks = new Map();
          this.#folders.set(folder, disks);
        }
        disks.set(disk, new Set());
      }
    }
    this.#done.inUse = busy.size;
  }

  async #walkBuckets(): Promise<void> {
    for (const bucket of await this.#walk.buckets()) {
      await forEachAtOnce(this.#walk.keys(bucket), AT_ONCE, ({ key, isInUnreadable }) =>
        this.#settle(() => this.#settler.key(bucket, key), isInUnreadable),
      );
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
    for (const meta of live) {
      const disks = this.#folders.get(meta.directory);
      for (const { disk: name, file } of [...meta.chunks, ...meta.parity]) {
        for (const [disk, files] of disks ?? []) if (disk.name === name) files.add(file).add(file + SET_ASIDE);
      }
    }
  }

  async #removeLeftover(folder: string, disks: Map<Disk, Set<string>>): Promise<void> {
    throwIfAborted(this.#operation.signal);
    const { session } = this.#operation;
    const lock = lockName.version(folder.slice(CHUNKS_FOLDER.length + 1));
    // A reader may have come to this version since it was found idle, and lost it to a newer one while it reads.
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
      for (const [disk, referred] of disks) {
        try {
          if (this.#misplaced.has(`${disk.name}/${folder}`)) {
            // Where it stands in the way of chunks, heal sets it aside.
            if (referred.size === 0) await this.#removeChunk(disk, CHUNKS_FOLDER, basename(folder));
            continue;
          }
          const entries = await disk.list(folder);
          const leftovers = entries.filter(({ name }) => !referred.has(name));
          for (const { name } of leftovers) await this.#removeChunk(disk, folder, name);
          if (!this.#dryRun && referred.size === 0) await disk.removeFolder(folder);
        } catch (error) {
          this.#fail(error);
        }
      }
    } finally {
      session.unlock(lock);
    }
  }

  async #removeChunk(disk: Disk, folder: string, name: string): Promise<void> {
    const size = (await disk.stat(`${folder}/${name}`))?.size ?? 0;
    if (!(await this.#remove(disk, folder, name))) return;
    this.#done.leftoverBytes += size;
    this.#done.leftoverChunks++;
  }

  /** Removes a file, or would, and tells whether it is gone. One that can't be removed must not keep the others. */
  async #remove(disk: Disk, folder: string, name: string): Promise<boolean> {
    if (this.#dryRun) return true;
    try {
      await disk.remove(`${folder}/${name}`, { within: folder, durable: false, evenFolder: folder !== STAGING_FOLDER });
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
