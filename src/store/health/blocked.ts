import type { Disk } from '../../disks/disk.ts';
import type { DiskView } from '../../disks/disk-set.ts';
import { diskFault, StoreError } from '../../errors.ts';
import { DISK_FOLDERS } from '../members/make-disk.ts';
import { findDisk, withDisk, type DiskEntry, type StoreDocument } from '../members/store-document.ts';
import type { StoreContext } from '../protocol/context.ts';
import { flushDisks } from '../protocol/flush.ts';
import type { Obstacles } from './obstacles.ts';
import type { Settled } from './decision.ts';

/** A document that a disk cannot have, because something stands in its place, or in that of a folder on the way to it. */
export interface BlockedDocument {
  path: string;
  /** The folder that it is in, where that or one above it is no folder; undefined where only its own place is taken. */
  folder: string | undefined;
  isVouchedFor: boolean;
  /** Brings it to all disks; undefined where that failed. */
  settle: () => Promise<Settled | undefined>;
  /** Looks whether all disks of a view have it. */
  look: (view: DiskView) => Promise<Settled>;
}

export interface BlockadeOptions {
  obstacles: Obstacles;
  /** Whether all documents of the store are looked for. */
  isWhole: boolean;
  allowStale: boolean;
  signal?: AbortSignal | undefined;
}

/**
 * Makes way for documents on disks, and brings them there. From the moment that an obstacle is gone until the last of them
 * has come, the disk says of them that there is none. So it is made a joining disk before, durably: until it has all of them it
 * does not count among those that answer, whatever happens meanwhile.
 */
export class Blockade {
  /** Set where so few disks could list a folder that some documents may be missing. */
  isIncomplete = false;
  readonly #context: StoreContext;
  readonly #options: BlockadeOptions;
  readonly #documents = new Map<Disk, BlockedDocument[]>();

  constructor(context: StoreContext, options: BlockadeOptions) {
    this.#context = context;
    this.#options = options;
  }

  add(disk: Disk, document: BlockedDocument): void {
    this.#documents.set(disk, [...(this.#documents.get(disk) ?? []), document]);
  }

  /** Makes way on one disk after the other: the others answer meanwhile. @returns what stays as it is, and why, in words */
  async lift(): Promise<string[]> {
    const stays: string[] = [];
    for (const [disk, documents] of [...this.#documents]) {
      try {
        stays.push(...(await this.#liftOn(disk, documents)));
      } catch (error) {
        stays.push(diskFault(error).message);
      }
    }
    return stays;
  }

  async #liftOn(disk: Disk, documents: readonly BlockedDocument[]): Promise<string[]> {
    const { obstacles } = this.#options;
    const why = this.#whyFoldersStay(documents);
    const stays = why === undefined ? [] : [`disk "${disk.name}": ${why}`];
    // A document in whose place something stands, and that nobody knows for sure, shows as its object's problem.
    const todo = documents.filter((one) => one.isVouchedFor && (one.folder === undefined || why === undefined));
    if (todo.length === 0) return stays;
    const role = await this.#suspend(disk);
    for (const { folder } of todo) while (folder !== undefined && (await obstacles.clear(disk, `${folder}/`)));
    for (const folder of DISK_FOLDERS) await disk.makeFolder(folder);
    await disk.syncFolder('.');
    let isWhole = true;
    for (const { settle } of todo) isWhole = (await settle()) !== undefined && isWhole;
    const isBack = role === 'joining' || (isWhole && (await this.#resume(disk, role, todo)));
    if (!isBack && !this.#options.isWhole)
      stays.push(`disk "${disk.name}" is joining, until a heal of the whole store has brought it all metas`);
    return stays;
  }

  /** Once they are gone, the disk says of all that was behind them that there is none, so the others must vouch for all of it. */
  #whyFoldersStay(documents: readonly BlockedDocument[]): string | undefined {
    const { isWhole } = this.#options;
    const behind = documents.filter(({ folder }) => folder !== undefined);
    const unknown = isWhole && !this.isIncomplete ? undefined : behind[0];
    const first = behind.find(({ isVouchedFor }) => !isVouchedFor) ?? unknown;
    if (first === undefined) return undefined;
    const why = isWhole
      ? 'too few other disks answer for it'
      : 'only a heal of the whole store can know all that is behind it';
    return `something stands in the place of a folder of ${first.path}, and stays, because ${why}`;
  }

  /** Lets a disk count no more among those that answer, and gives back its role. @throws TOO_FEW_DISKS_TO_READ where too few others would */
  async #suspend(disk: Disk): Promise<DiskEntry['role']> {
    const { allowStale } = this.#options;
    let role: DiskEntry['role'];
    await this.#change(async (document) => {
      const { disks: set } = this.#context;
      role = findDisk(document, disk.name).role;
      if (role === 'joining') return undefined;
      const { online } = await set.look();
      const found = online.filter((other) => other !== disk && set.isVoter(other)).length;
      const expected = set.readQuorum;
      if (found >= (allowStale ? 1 : expected)) return withRole(document, disk, 'joining');
      const why = `${found} other disks answer for them, and it takes ${expected}`;
      const message = `disk "${disk.name}": what is in the way of metas stays, because ${why}`;
      throw new StoreError('TOO_FEW_DISKS_TO_READ', message, { disk: disk.name, expected, found });
    });
    return role;
  }

  /**
   * Lets the disk count again, if it has got back all that was blocked; the rest it has as before. Tells whether it does: what a
   * commit has kept from it meanwhile is left to the joining of disks.
   */
  async #resume(disk: Disk, role: DiskEntry['role'], documents: readonly BlockedDocument[]): Promise<boolean> {
    const context = this.#context;
    const changed = await this.#change(async (document) => {
      const view = await context.disks.look();
      if (!view.online.includes(disk) || findDisk(document, disk.name).role !== 'joining') return undefined;
      for (const { look } of documents) {
        const { outcome, problem, blocked, isVouchedFor } = await look(view);
        if (outcome !== 'agreed' || problem !== undefined || blocked.length > 0 || !isVouchedFor) return undefined;
      }
      if ((await flushDisks(context, [disk])).length > 0) return undefined;
      // A disk that has gone meanwhile has answered as if it were empty.
      await context.confirm(view, this.#options.allowStale);
      const now = await context.disks.look();
      return now.online.includes(disk) ? withRole(document, disk, role) : undefined;
    });
    return changed !== undefined;
  }

  #change(work: (document: StoreDocument) => Promise<StoreDocument | undefined>): Promise<StoreDocument | undefined> {
    return this.#context.members.change(this.#context.locks, this.#options.signal, work);
  }
}

function withRole(document: StoreDocument, { name }: Disk, role: DiskEntry['role']): StoreDocument {
  return withDisk(document, name, { ...findDisk(document, name), role });
}
