import * as v from 'valibot';
import { FORMAT, seal, versionSchema, type VersionedDocument } from './document.ts';
import { isRedundancy } from './redundancy.ts';

/** File name of a bucket's settings; no key's path begins with a dot. */
export const BUCKET_FILE = '.bucket.json';

export const bucketSchema = v.object({
  format: v.literal(FORMAT),
  bucket: v.string(),
  version: versionSchema,
  createdAt: v.pipe(v.string(), v.isoTimestamp()),
  redundancy: v.optional(v.pipe(v.string(), v.check(isRedundancy, 'not k+m'))),
  deleted: v.optional(v.literal(true)),
  checksum: v.string(),
});

/** A bucket's `.bucket.json`; with `deleted`, the bucket's tombstone. */
export interface BucketDocument extends VersionedDocument {
  bucket: string;
  createdAt: string;
  /** `k+m` of objects that are put into it without their own; the store's if not given. */
  redundancy?: string | undefined;
  deleted?: true | undefined;
}

export function makeBucketDocument(content: Omit<BucketDocument, 'format' | 'checksum'>): BucketDocument {
  return seal({ format: FORMAT, ...content });
}
