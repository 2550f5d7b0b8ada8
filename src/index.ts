/**
 * The library: `ObjectStore` and the types of what goes into it and comes out.
 * @example
 * try {
 *   await store.head('my-bucket', 'nobody.txt');
 * } catch (error) {
 *   if (!isStoreError(error, 'NO_SUCH_KEY')) throw error;
 *   console.log(error.message, error.details.key);
 * }
 */
export { ObjectStore, type OpenOptions } from './store/object-store.ts';
export type { WaitOptions } from './store/members/attendance.ts';
export { callsUnderWay } from './concurrency/call-gate.ts';
export { isStoreError, StoreError, type ErrorCode, type ErrorDetails, type Fault } from './errors.ts';
export { checkBucketName, checkKey } from './metadata/names.ts';
export { parseRedundancy, type Redundancy } from './metadata/redundancy.ts';
export { stripesOf, type ShardEntry, type Stripe } from './metadata/stripes.ts';
export type { PutSource } from './chunks/source.ts';
export type { DiskState, DiskStatus } from './disks/disk.ts';
export type { DiskRole, OfflineDisk } from './disks/disk-set.ts';
export type { ChunkEntry, ObjectMeta, ParityEntry } from './metadata/meta.ts';
export type { BucketOptions, CreateBucketOptions, ListedBucket } from './store/objects/buckets.ts';
export type { DiskOptions } from './store/fleet/entries.ts';
export type { ReplaceOptions } from './store/fleet/replace.ts';
export type { DeleteOptions } from './store/objects/delete.ts';
export type { DeleteItem, DeleteOutcome } from './store/objects/deletes.ts';
export type { UnreadableFolder } from './store/protocol/unreadable-folders.ts';
export type { GcOptions, GcReport } from './store/health/gc.ts';
export type { GetItem, GetOutcome } from './store/objects/get-many.ts';
export type { GetResult } from './store/objects/get.ts';
export type { GetOptions } from './store/objects/open-object.ts';
export type { HealOptions, HealReport } from './store/health/heal.ts';
export type { HealthReport, HealthState, ObjectHealth, Problem } from './store/health/diagnosis.ts';
export type { InitOptions } from './store/members/init.ts';
export type { Listed, ListedFolder, ListedObject, ListOptions } from './store/objects/list.ts';
export type { MoveOptions, MoveReport } from './store/fleet/move.ts';
export type { PutOptions, PutResult } from './store/objects/put.ts';
export type { PutItem, PutOutcome } from './store/objects/put-many.ts';
export type { ByteRange } from './store/objects/range.ts';
export type { Scope } from './store/protocol/walk.ts';
export type { Durability, StoreDocument } from './store/members/store-document.ts';
export type { DiskUsage, UsageOptions } from './store/fleet/usage.ts';
export type { VerifyOptions } from './store/health/verify.ts';
