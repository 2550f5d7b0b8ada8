import * as fs from 'node:fs';
import * as path from 'node:path';
import type { ObjectStore } from '../../src/index.ts';
import { metaKind } from '../../src/metadata/catalog.ts';
import { formatDocument } from '../../src/metadata/document.ts';
import { CHUNK_SIZE, makeObjectMeta } from '../../src/metadata/meta.ts';
import { versionAfter } from '../../src/metadata/version.ts';
import { diskNames } from './store.ts';

/** Writes the metas of so many empty objects into one folder of the bucket `bucket`, as uploads would have. */
export function writeManyObjects(store: ObjectStore, count: number, prefix = 'photos/2026/'): void {
  const disks = diskNames(store).map((disk) => path.join(store.root, disk));
  const [first = '', ...others] = disks;
  for (const disk of disks) fs.mkdirSync(path.join(disk, 'buckets/bucket', prefix), { recursive: true });
  let version: string | undefined;
  for (let index = 0; index < count; index++) {
    const key = `${prefix}IMG_${String(index).padStart(8, '0')}.jpg`;
    version = versionAfter(version);
    const meta = makeObjectMeta({
      bucket: 'bucket',
      key,
      version,
      createdAt: new Date().toISOString(),
      size: 0,
      contentType: 'image/jpeg',
      chunkSize: CHUNK_SIZE,
      redundancy: '1+0',
      chunks: [],
      parity: [],
    });
    const { path: file } = metaKind('bucket', key);
    fs.writeFileSync(path.join(first, file), formatDocument(meta));
    // The same bytes, made faster.
    for (const disk of others) fs.linkSync(path.join(first, file), path.join(disk, file));
  }
}
