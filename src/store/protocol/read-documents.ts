import type { DiskView } from '../../disks/disk-set.ts';
import { StoreError } from '../../errors.ts';
import type { BucketDocument } from '../../metadata/bucket-document.ts';
import { agreedDocument, readCopies, type Copy } from '../../metadata/copies.ts';
import { bucketKind, metaKind } from '../../metadata/catalog.ts';
import { isTombstone, type Meta, type ObjectMeta } from '../../metadata/meta.ts';
import type { Address } from '../../metadata/names.ts';
import type { StoreContext } from './context.ts';

/** The object's meta as R disks vouch for it. @throws NO_SUCH_KEY, NO_SUCH_BUCKET, META_DAMAGED */
export async function readObjectMeta(
  context: StoreContext,
  view: DiskView,
  { bucket, key }: Address,
  allowStale = false,
): Promise<ObjectMeta> {
  const copies = await readCopies(view.online, metaKind(bucket, key));
  // A disk that has just gone has none either.
  if (copies.some(({ state }) => state === 'absent')) await context.confirm(view, allowStale);
  const meta = agreedDocument(context.disks, copies, allowStale);
  if (meta !== undefined && !isTombstone(meta)) return meta;
  await requireBucket(context, view, bucket, allowStale);
  await context.confirm(view, allowStale);
  throw noSuchKey(bucket, key);
}

/** The bucket's document as R disks vouch for it, or undefined where there is no such bucket. */
export async function readBucket(
  context: StoreContext,
  view: DiskView,
  bucket: string,
  allowStale = false,
): Promise<{ document: BucketDocument | undefined; copies: Copy<BucketDocument>[] }> {
  const copies = await readCopies(view.online, bucketKind(bucket));
  if (copies.every(({ state }) => state !== 'valid')) await context.confirm(view, allowStale);
  const document = agreedDocument(context.disks, copies, allowStale);
  return { document: document?.deleted === true ? undefined : document, copies };
}

/** @throws NO_SUCH_BUCKET */
export async function requireBucket(
  context: StoreContext,
  view: DiskView,
  bucket: string,
  allowStale = false,
): Promise<{ document: BucketDocument; copies: Copy<BucketDocument>[] }> {
  const { document, copies } = await readBucket(context, view, bucket, allowStale);
  if (document === undefined) throw noSuchBucket(bucket);
  return { document, copies };
}

/** The object versions among a key's copies, each once. */
export function objectVersions(copies: readonly Copy<Meta>[]): ObjectMeta[] {
  const versions = new Map<string, ObjectMeta>();
  for (const copy of copies) {
    if (copy.state === 'valid' && !isTombstone(copy.document)) versions.set(copy.document.version, copy.document);
  }
  return [...versions.values()];
}

export function noSuchBucket(bucket: string): StoreError {
  return new StoreError('NO_SUCH_BUCKET', `there is no bucket "${bucket}"`, { bucket });
}

export function noSuchKey(bucket: string, key: string): StoreError {
  return new StoreError('NO_SUCH_KEY', `there is no object ${JSON.stringify(`${bucket}/${key}`)}`, { bucket, key });
}

/** Refuses a key whose meta would lie where another key's lies already. @throws KEY_COLLISION */
export function refuseCollision(bucket: string, key: string, copies: readonly Copy<Meta>[]): void {
  for (const copy of copies) {
    if (copy.state !== 'other') continue;
    const { disk, name: found } = copy;
    const [ours, theirs] = [JSON.stringify(`${bucket}/${key}`), JSON.stringify(found)];
    const message = `disk "${disk.name}" cannot tell ${ours} from ${theirs}, which is stored already`;
    throw new StoreError('KEY_COLLISION', message, { bucket, key, disk: disk.name, found });
  }
}
