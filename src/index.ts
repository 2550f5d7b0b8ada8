/** The library: `ObjectStore` and the types of what goes into it and comes out. */
export { ObjectStore, type OpenOptions } from './store/object-store.ts';
export { isStoreError, StoreError, type ErrorCode, type ErrorDetails } from './errors.ts';
export { checkBucketName, checkKey } from './metadata/names.ts';
export type { PutSource } from './chunks/source.ts';
export type { DiskState, DiskStatus } from './disks/disk.ts';
export type { OfflineDisk } from './disks/disk-set.ts';
export type { ChunkEntry, ObjectMeta, ParityEntry } from './metadata/meta.ts';
export type { BucketOptions, ListedBucket } from './store/buckets.ts';
export type { DeleteOptions } from './store/delete.ts';
export type { GcOptions, GcReport } from './store/gc.ts';
export type { GetOptions, GetResult } from './store/get.ts';
export type { InitOptions } from './store/init.ts';
export type { Listed, ListedFolder, ListedObject, ListOptions } from './store/list.ts';
export type { PutOptions, PutResult } from './store/put.ts';
export type { ByteRange } from './store/range.ts';
export type { Durability, StoreDocument } from './store/store-document.ts';
