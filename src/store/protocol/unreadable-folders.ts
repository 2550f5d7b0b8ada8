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

/** Gathers what could not be listed, each folder once, and none that is in another of them. */
export class UnreadableFolders {
  readonly #found = new Map<string, UnreadableFolder>();

  add({ disk, folder, error }: FolderFailure): void {
    if (this.has(disk, folder)) return;
    this.#found.set(`${disk.name} ${folder}`, { disk: disk.name, path: folder, reason: error.message });
  }

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
 * What there is to say of each folder that too few disks could list. Where R voters have listed a folder, one of them knows of
 * each key that was ever acknowledged, and a disk's failure is no more than its own damage. A disk that has gone looks as if
 * it had listed an empty folder; `DiskSet.confirm` tells that.
 *
 * @param failures of one level of the tree
 * @param allowStale whether one disk is enough
 */
export function tooFewListed(
  set: DiskSet,
  { online }: DiskView,
  failures: readonly FolderFailure[],
  allowStale = false,
): StoreError[] {
  const needed = allowStale ? 1 : set.readQuorum;
  const folders = [...new Set(failures.map(({ folder }) => folder))];
  return folders.flatMap((folder) => {
    const here = failures.filter((failure) => failure.folder === folder);
    const listers = online.filter((disk) => !here.some((failure) => failure.disk === disk));
    const found = listers.filter((disk) => allowStale || set.isVoter(disk)).length;
    return found < needed ? [tooFewError(set, here, needed, found)] : [];
  });
}

/** @param failures of one folder */
function tooFewError(set: DiskSet, failures: readonly FolderFailure[], expected: number, found: number): StoreError {
  const [first] = failures;
  const reasons = failures.map(({ error }) => error.message).join('; ');
  const few = `${found} of ${set.disks.length} disks can list ${first?.folder}`;
  const message = `${few}, and it takes ${expected} to know of everything in it: ${reasons}`;
  const disks = failures.length < 2 ? undefined : failures.map(({ disk }) => disk.name);
  const details = { ...first?.error.details, expected, found, disks };
  return new StoreError('TOO_FEW_DISKS_TO_READ', message, details, first?.error);
}
