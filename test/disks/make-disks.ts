import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DISK_MARK, formatDiskMark, type DiskIdentity } from '../../src/disks/identity.ts';
import { LocalDisk } from '../../src/disks/local/local-disk.ts';
import { tempFolder } from '../support/temp.ts';

const STORE_ID = '11111111-1111-4111-8111-111111111111';

/** What the mark of the disk named `disk<number>` says. */
export function identityOf(number: number): DiskIdentity {
  return {
    storeId: STORE_ID,
    name: `disk${number}`,
    id: `22222222-2222-4222-8222-${String(number).padStart(12, '0')}`,
  };
}

/** A disk as `init` makes it, in `root` or in a fresh folder. */
export function makeDisk(number = 1, root = join(tempFolder(), `disk${number}`)): { disk: LocalDisk; root: string } {
  for (const folder of ['', 'buckets', 'chunks', 'tmp']) mkdirSync(join(root, folder));
  writeFileSync(join(root, DISK_MARK), formatDiskMark(identityOf(number)));
  return { disk: new LocalDisk(root, identityOf(number)), root };
}

/** `disk1` up to `disk<count>`. */
export function makeDisks(count: number): { disk: LocalDisk; root: string }[] {
  return Array.from({ length: count }, (_, index) => makeDisk(index + 1));
}
