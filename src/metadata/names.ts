import { StoreError } from '../errors.ts';

/** Where an object is: `bucket/key`. */
export interface Address {
  bucket: string;
  key: string;
}

/** Longest key, in bytes of UTF-8, as in S3. */
export const MAX_KEY_BYTES = 1024;

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const IP_ADDRESS = /^\d+\.\d+\.\d+\.\d+$/;
const DISK = /^[a-z0-9][a-z0-9_.-]{0,62}$/i;

/** Names that stand for something else in a store's folder. */
const RESERVED_DISK_NAMES = new Set(['store.json']);

/**
 * S3's rules: 3–63 characters, lower-case letters, digits, `.` and `-`, a letter or digit at both ends, no two dots
 * together, not an IP address. @throws BAD_BUCKET_NAME
 */
export function checkBucketName(bucket: string): void {
  if (isBucketName(bucket)) return;
  const rule = '3 to 63 characters of a-z, 0-9, "." and "-", a letter or digit at both ends';
  throw new StoreError('BAD_BUCKET_NAME', `bad bucket name ${JSON.stringify(bucket)}: ${rule}`, { bucket });
}

export function isBucketName(bucket: string): boolean {
  return BUCKET.test(bucket) && !bucket.includes('..') && !IP_ADDRESS.test(bucket);
}

/** 1 to 1,024 bytes of UTF-8. @throws BAD_KEY */
export function checkKey(key: string): void {
  const fail = (reason: string): never => {
    const shown = key.length > 60 ? `${key.slice(0, 60)}…` : key;
    throw new StoreError('BAD_KEY', `bad key ${JSON.stringify(shown)}: ${reason}`, { key });
  };
  if (key.length === 0) fail('a key has at least one byte');
  // A lone surrogate has no UTF-8 form; `isWellFormed` is not in Node 20's type library.
  if (/\p{Surrogate}/u.test(key)) fail('it is not valid Unicode');
  const bytes = Buffer.byteLength(key, 'utf8');
  if (bytes > MAX_KEY_BYTES) fail(`it has ${bytes} bytes, at most ${MAX_KEY_BYTES} are allowed`);
}

export function isKey(key: string): boolean {
  return key.length > 0 && Buffer.byteLength(key, 'utf8') <= MAX_KEY_BYTES && !/\p{Surrogate}/u.test(key);
}

/** Disk names stand in paths and in `xargs` recipes, so they need no quoting anywhere. @throws BAD_DISK_NAME */
export function checkDiskName(name: string): void {
  if (isDiskName(name)) return;
  const rule = '1 to 63 letters, digits, ".", "_" and "-", beginning with a letter or digit';
  throw new StoreError('BAD_DISK_NAME', `bad disk name ${JSON.stringify(name)}: ${rule}`, { disk: name });
}

export function isDiskName(name: string): boolean {
  return DISK.test(name) && !RESERVED_DISK_NAMES.has(name.toLowerCase());
}

/** Orders strings by the bytes of their UTF-8 form. */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const x = a.charCodeAt(index);
    const y = b.charCodeAt(index);
    if (x === y) continue;
    // A surrogate is a part of a code point above U+FFFF, so it sorts after every unit that is not one.
    if (isSurrogate(x) !== isSurrogate(y)) return isSurrogate(x) ? 1 : -1;
    return x - y;
  }
  return a.length - b.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}
