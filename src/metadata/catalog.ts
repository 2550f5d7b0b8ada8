import { BUCKET_FILE, bucketSchema, type BucketDocument } from './bucket-document.ts';
import type { DocumentKind } from './copies.ts';
import { keyToPath } from './key-path.ts';
import { metaSchema, type Meta } from './meta.ts';

/** Where buckets are on a disk. */
export const BUCKETS_FOLDER = 'buckets';

export function bucketFolder(bucket: string): string {
  return `${BUCKETS_FOLDER}/${bucket}`;
}

/** How to find and recognise the meta of a key. */
export function metaKind(bucket: string, key: string): DocumentKind<Meta> {
  return {
    path: `${bucketFolder(bucket)}/${keyToPath(key).join('/')}`,
    within: bucketFolder(bucket),
    schema: metaSchema,
    name: `${bucket}/${key}`,
    nameOf: nameOfMeta,
  };
}

/** How to find and recognise the document of a bucket. */
export function bucketKind(bucket: string): DocumentKind<BucketDocument> {
  return {
    path: `${bucketFolder(bucket)}/${BUCKET_FILE}`,
    within: bucketFolder(bucket),
    schema: bucketSchema,
    name: bucket,
    nameOf: (document) => document.bucket,
  };
}

function nameOfMeta({ bucket, key }: Meta): string {
  return `${bucket}/${key}`;
}
