import type { Disk } from '../../disks/disk.ts';
import type { DiskView, OfflineDisk } from '../../disks/disk-set.ts';
import type { BucketDocument } from '../../metadata/bucket-document.ts';
import { diskFault, ignoreDiskFault } from '../../errors.ts';
import { bucketKind, BUCKETS_FOLDER } from '../../metadata/catalog.ts';

type Stamps = Map<Disk, string>;

/**
 * Remembers for which buckets all disks had the same document, and by which stamps. As long as the stamps stay, the
 * documents need not be read again: a commit asks for them every time.
 */
export class BucketCache {
  readonly #agreed = new Map<string, { document: BucketDocument; stamps: Stamps; durable: Set<Disk> }>();

  /** The document that all disks of the view still have, or undefined where they must be asked. */
  async unchanged(view: DiskView, bucket: string): Promise<BucketDocument | undefined> {
    const agreed = this.#agreed.get(bucket);
    if (agreed === undefined) return undefined;
    const stamps = await this.stamps(view, bucket);
    const isUnchanged = view.online.every(
      (disk) => agreed.stamps.has(disk) && agreed.stamps.get(disk) === stamps.get(disk),
    );
    if (isUnchanged) return agreed.document;
    this.#agreed.delete(bucket);
    return undefined;
  }

  /** The stamps of a bucket's documents. To be asked for before the documents are read, so that they are never newer. */
  async stamps(view: DiskView, bucket: string): Promise<Stamps> {
    const { path } = bucketKind(bucket);
    const stamps: Stamps = new Map();
    await Promise.all(
      view.online.map(async (disk) => {
        const stamp = (await disk.stat(path).catch(ignoreDiskFault))?.stamp;
        if (stamp !== undefined) stamps.set(disk, stamp);
      }),
    );
    return stamps;
  }

  remember(document: BucketDocument, stamps: Stamps): void {
    this.#agreed.set(document.bucket, { document, stamps, durable: new Set() });
  }

  /**
   * Makes durable what leads to the bucket's folder, where that is not known to be: whoever made it may have died before. The
   * rest is synced with each meta. Tells which disks failed: they take no meta, but may well have their chunks.
   */
  async makeDurable({ online }: DiskView, bucket: string): Promise<OfflineDisk[]> {
    // Only what is remembered of a bucket is known the next time.
    const durable = this.#agreed.get(bucket)?.durable ?? new Set<Disk>();
    const failed: OfflineDisk[] = [];
    for (const disk of online) {
      if (durable.has(disk)) continue;
      try {
        for (const folder of ['.', BUCKETS_FOLDER]) await disk.syncFolder(folder);
        durable.add(disk);
      } catch (error) {
        failed.push({ disk: disk.name, state: { status: 'unreadable', reason: diskFault(error).message } });
      }
    }
    return failed;
  }
}
