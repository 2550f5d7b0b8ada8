import { checkBucketName, checkKey, StoreError } from '../../index.ts';
import { UsageError } from '../terminal/failure.ts';

/** Splits `bucket/key` at the first `/`. The key is undefined where there is no `/`. @throws BAD_BUCKET_NAME */
export function parseAddress(address: string): { bucket: string; key: string | undefined } {
  const slash = address.indexOf('/');
  const bucket = slash === -1 ? address : address.slice(0, slash);
  checkBucketName(bucket);
  return { bucket, key: slash === -1 ? undefined : address.slice(slash + 1) };
}

/** What to say of a prefix that no key begins with. */
export function noSuchPrefix(bucket: string, prefix: string): StoreError {
  const name = JSON.stringify(`${bucket}/${prefix}`);
  return new StoreError('NO_SUCH_KEY', `there is no object ${name}…`, { bucket, key: prefix });
}

/** Splits an address that must name an object. @throws UsageError, BAD_BUCKET_NAME, BAD_KEY */
export function parseObjectAddress(address: string): { bucket: string; key: string } {
  const { bucket, key } = parseAddress(address);
  if (key === undefined || key === '') throw new UsageError(`"${address}" names no object; it needs <bucket>/<key>`);
  checkKey(key);
  return { bucket, key };
}
