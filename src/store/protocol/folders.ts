import type { Disk } from '../../disks/disk.ts';
import type { DiskSet, DiskView } from '../../disks/disk-set.ts';
import { StoreError } from '../../errors.ts';
import type { FolderFailure } from '../../metadata/key-tree.ts';

/** A folder of metas that a disk cannot list. Whatever is in it is out of reach on that disk. */
export interface UnreadableFolder {
  disk: string;
  /** On the disk. */
  path: string;
  /** For people. */
  reason: string;
}

/** How a walk over metas deals with folders that disks can't list. */
export interface WalkRules {
  /** Be content with what any disk lists. */
  allowStale?: boolean | undefined;
  /** Told of each such folder. */
  onUnreadable?: ((failure: FolderFailure) => void) | undefined;
  /** Told where so many disks can't list a folder that objects in it may be overlooked; without it, the walk ends with that. */
  onTooFew?: ((error: StoreError) => void) | undefined;
}

/** Gathers what could not be listed, each folder once, and none that is in another of them. */
export class UnreadableFolders {
  readonly #found = new Map<string, UnreadableFolder>();

  readonly add = ({ disk, folder, error }: FolderFailure): void => {
    if (!this.has(disk, folder))
      this.#found.set(`${disk.name} ${folder}`, { disk: disk.name, path: folder, reason: error.message });
  };

  /** Whether the disk could not list this folder, or one that it is in. */
  has(disk: Disk, folder: string): boolean {
    for (let above = folder; ; above = above.slice(0, above.lastIndexOf('/'))) {
      if (this.#found.has(`${disk.name} ${above}`)) return true;
      if (!above.includes('/')) return false;
    }
  }

  all(): UnreadableFolder[] {
    return [...this.#found.values()];
  }

  reasons(): string[] {
    return this.all().map(({ reason }) => reason);
  }
}

/**
 * Judges the failures of one level of the tree. Where R voters have listed a folder, one of them knows of each key that was
 * ever acknowledged, and a disk's failure is no more than its own damage. A disk that has gone looks as if it had listed
 * an empty folder; `DiskSet.confirm` tells that.
 * @throws TOO_FEW_DISKS_TO_READ where fewer have, and nobody is there to be told
 */
export function judgeFailures(
  set: DiskSet,
  { online }: DiskView,
  failures: readonly FolderFailure[],
  rules: WalkRules,
): void {
  for (const failure of failures) rules.onUnreadable?.(failure);
  for (const folder of new Set(failures.map((failure) => failure.folder))) {
    const here = failures.filter((failure) => failure.folder === folder);
    const listers = online.filter((disk) => !here.some((failure) => failure.disk === disk));
    const found = rules.allowStale === true ? listers.length : listers.filter((disk) => set.isVoter(disk)).length;
    const needed = rules.allowStale === true ? 1 : set.readQuorum;
    const first = here[0]?.error;
    if (found >= needed || first === undefined) continue;
    const error = new StoreError(
      'TOO_FEW_DISKS_TO_READ',
      `${found} of ${set.disks.length} disks can list ${folder}, and it takes ${needed} to know of everything in it: ${here.map((failure) => failure.error.message).join('; ')}`,
      {
        ...first.details,
        expected: needed,
        found,
        ...(here.length < 2 ? {} : { disks: here.map(({ disk }) => disk.name) }),
      },
      first,
    );
    if (rules.onTooFew === undefined) throw error;
    rules.onTooFew(error);
  }
}
