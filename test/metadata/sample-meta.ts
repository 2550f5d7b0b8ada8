import { createHash } from 'node:crypto';
import { makeBucketDocument, type BucketDocument } from '../../src/metadata/bucket-document.ts';
import {
  makeObjectMeta,
  makeTombstone,
  type ChunkEntry,
  type ObjectMeta,
  type Tombstone,
} from '../../src/metadata/meta.ts';
import { chunkFile } from '../../src/metadata/shard-file.ts';

export const VERSION = '01990000-0000-7000-8000-000000000001';
export const LATER = '01990000-0000-7000-8000-000000000002';
const CREATED_AT = '2026-11-22T12:00:00.000Z';

/** One entry of a meta for chunk `order`, whose bytes are `bytes`. */
export function entryOf(order: number, bytes: Uint8Array, disk = `disk${(order % 3) + 1}`): ChunkEntry {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { order, disk, file: chunkFile(VERSION, order), size: bytes.length, sha256 };
}

/** A sealed meta of three small chunks, with other members where `changes` says so. */
export function objectMeta(changes: Partial<Omit<ObjectMeta, 'format' | 'checksum'>> = {}): ObjectMeta {
  return makeObjectMeta({
    bucket: 'my-bucket',
    key: 'demo.txt',
    version: VERSION,
    createdAt: CREATED_AT,
    size: 13,
    contentType: 'text/plain',
    chunkSize: 5,
    redundancy: '1+0',
    chunks: [Buffer.from('first'), Buffer.from('other'), Buffer.from('end')].map((bytes, order) =>
      entryOf(order, bytes),
    ),
    parity: [],
    ...changes,
  });
}

export function tombstone(changes: Partial<Omit<Tombstone, 'format' | 'checksum' | 'deleted'>> = {}): Tombstone {
  return makeTombstone({ bucket: 'my-bucket', key: 'demo.txt', version: LATER, createdAt: CREATED_AT, ...changes });
}

export function bucketDocument(changes: Partial<Omit<BucketDocument, 'format' | 'checksum'>> = {}): BucketDocument {
  return makeBucketDocument({ bucket: 'my-bucket', version: VERSION, createdAt: CREATED_AT, ...changes });
}
