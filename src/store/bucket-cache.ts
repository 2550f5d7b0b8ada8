import type { Disk } from '../disks/disk.ts';
import type { DiskView } from '../disks/disk-set.ts';
import { bucketKind } from '../metadata/catalog.ts';

type Stamps = Map<Disk, string>;

/**
 * Remembers for which buckets all disks had the same document, and by which stamps. As long as the stamps stay, the
 * documents need not be read again: a commit asks for them every time.
 */
export class BucketCache {
  readonly #agreed = new Map<string, Stamps>();

  /** Whether the bucket was there when last looked at. It may have been deleted since. */
  has(bucket: string): boolean {
    return this.#agreed.has(bucket);
  }

  /** Whether all disks of the view still have the documents that agreed. */
  async isUnchanged(view: DiskView, bucket: string): Promise<boolean> {
    const agreed = this.#agreed.get(bucket);
    if (agreed === undefined) return false;
    const stamps = await this.stamps(view, bucket);
    const isUnchanged = view.online.every((disk) => agreed.has(disk) && agreed.get(disk) === stamps.get(disk));
    if (!isUnchanged) this.#agreed.delete(bucket);
    return isUnchanged;
  }

  /** The stamps of a bucket's documents. To be asked for before the documents are read, so that they are never newer. */
  async stamps(view: DiskView, bucket: string): Promise<Stamps> {
    const { path } = bucketKind(bucket);
    const stamps: Stamps = new Map();
    await Promise.all(
      view.online.map(async (disk) => {
        const stat = await disk.stat(path).catch(() => undefined);
        if (stat !== undefined) stamps.set(disk, stat.stamp);
      }),
    );
    return stamps;
  }

  remember(bucket: string, stamps: Stamps): void {
    this.#agreed.set(bucket, stamps);
  }
}
