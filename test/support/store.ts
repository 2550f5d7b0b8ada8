import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Readable } from 'node:stream';
import type { Parameters as PropertyOptions } from 'fast-check';
import { isStoreError, ObjectStore, type GetOptions, type InitOptions, type ObjectMeta } from '../../src/index.ts';
import { tempFolder } from './temp.ts';

export const MIB = 1024 * 1024;

/**
 * A store of `disks` disks in a temporary folder, with the bucket `bucket`. Without fsync if not told otherwise: none of
 * these tests cuts the power.
 */
export async function newStore(disks = 3, options: InitOptions = {}): Promise<ObjectStore> {
  const root = path.join(tempFolder(), 'store');
  const store = await ObjectStore.init(root, {
    durability: 'none',
    ...(options.places === undefined ? { disks } : {}),
    ...options,
  });
  await store.createBucket('bucket');
  return store;
}

/** All bytes of a body. */
export async function collect(body: Readable): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of body) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

/** All bytes of an object, or of a range of it. */
export async function read(store: ObjectStore, key: string, options: GetOptions = {}): Promise<Buffer> {
  return collect((await store.get('bucket', key, options)).body);
}

/** The keys of a list. */
export async function keysOf(store: ObjectStore, prefix?: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list('bucket', { prefix })) keys.push(key);
  return keys;
}

/** The `StoreError` that a promise rejects with: its code, message and details in one flat object. */
export async function failure(
  promise: Promise<unknown>,
): Promise<Record<string, unknown> & { code: string; message: string }> {
  let result: unknown;
  try {
    result = await promise;
  } catch (error) {
    if (!isStoreError(error)) throw new Error(`not a StoreError: ${String(error)}`, { cause: error });
    return { ...error.details, code: error.code, message: error.message };
  }
  throw new Error(`no failure, but ${result instanceof Uint8Array ? `${result.length} bytes` : String(result)}`);
}

const FAN_OUT = /(?:^|\/)chunks\/[0-9a-f]{2}$/;

/**
 * Everything below a folder, one line an entry: path, and what it is (for a file, the SHA-256 of its bytes). The note that a
 * store's processes share is left out, and so are fan-out folders, but not what is in them: neither is anything stored.
 * @param stamps adds each entry's inode and times, so that even a write that was undone shows
 */
export function tree(folder: string, { stamps = false } = {}): string[] {
  const lines: string[] = [];
  const walk = (relative: string): void => {
    const full = path.join(folder, relative);
    for (const name of fs.readdirSync(full).sort()) {
      if (name === '.lock.note') continue;
      const entry = path.join(relative, name);
      const stat = fs.lstatSync(path.join(folder, entry));
      const stamp = stamps ? ` ${stat.ino} ${stat.mtimeMs} ${stat.ctimeMs}` : '';
      const isFanOut = stat.isDirectory() && FAN_OUT.test(entry);
      if (!isFanOut) lines.push(`${entry} ${describe(path.join(folder, entry), stat)}${stamp}`);
      if (stat.isDirectory()) walk(entry);
    }
  };
  walk('');
  return lines;
}

function describe(full: string, stat: fs.Stats): string {
  if (stat.isSymbolicLink()) return `link to ${fs.readlinkSync(full)}`;
  return stat.isDirectory() ? 'folder' : sha256(fs.readFileSync(full));
}

/** Paths of the files below a folder, sorted. */
export function filesIn(folder: string): string[] {
  const names = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => fs.lstatSync(path.join(folder, name)).isFile()).sort();
}

/** The files that all objects together have on the disks: metas and chunks. */
export function objectFiles(store: ObjectStore): string[] {
  return diskNames(store).flatMap((disk) => {
    const files = filesIn(path.join(store.root, disk)).filter(
      (file) => !['disk.json', 'horizon.json'].includes(file) && !file.endsWith('.bucket.json'),
    );
    return files.map((file) => `${disk}/${file}`);
  });
}

export function diskNames(store: ObjectStore): string[] {
  return store.document.disks.map((disk) => disk.name);
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A copy of a meta as it lies on a disk, found by its content and not by the library's idea of its path. */
export interface MetaCopy {
  disk: string;
  /** Absolute. */
  file: string;
  text: string;
}

/** The copies of a key's meta, in the order of the disks. */
export function metaCopies(store: ObjectStore, key: string, bucket = 'bucket'): MetaCopy[] {
  return diskNames(store).flatMap((disk) => {
    const folder = path.join(store.root, disk, 'buckets', bucket);
    if (!fs.existsSync(folder)) return [];
    return filesIn(folder).flatMap((name) => {
      const file = path.join(folder, name);
      const text = fs.readFileSync(file, 'utf8');
      return keyIn(text) === key ? [{ disk, file, text }] : [];
    });
  });
}

function keyIn(text: string): unknown {
  try {
    return (JSON.parse(text) as { key?: unknown }).key;
  } catch {
    return undefined;
  }
}

/** Absolute path of a chunk of an object. */
export function chunkPath(store: ObjectStore, meta: ObjectMeta, order: number): string {
  const chunk = meta.chunks[order];
  if (chunk === undefined) throw new Error(`there is no chunk ${order}`);
  return path.join(store.root, chunk.disk, chunk.file);
}

/** The number of a chunk that lies on a disk. */
export function chunkOn(meta: ObjectMeta, disk: string): number {
  const order = meta.chunks.findIndex((chunk) => chunk.disk === disk);
  if (order === -1) throw new Error(`no chunk on ${disk}`);
  return order;
}

/** Writes a document with a checksum that matches its content, as a careful forger would. */
export function forge(file: string, change: (document: Record<string, unknown>) => unknown): void {
  const document = JSON.parse(fs.readFileSync(file, 'utf8')) as Record<string, unknown>;
  delete document['checksum'];
  change(document);
  const checksum = sha256(Buffer.from(JSON.stringify(document)));
  fs.writeFileSync(file, JSON.stringify({ ...document, checksum }));
}

/** Takes a disk's folder away, and gives back the function that puts it back. */
export function takeAway(store: ObjectStore, disk: string): () => void {
  const folder = path.join(store.root, disk);
  const away = path.join(path.dirname(store.root), `away-${disk}`);
  fs.renameSync(folder, away);
  return () => {
    fs.renameSync(away, folder);
  };
}

/** Options of a property test: `FC_SEED` in the environment repeats a run; fast-check prints the seed of a failure. */
export function property<T>(numRuns: number): PropertyOptions<T> {
  const seed = process.env['FC_SEED'];
  return { numRuns, ...(seed === undefined ? {} : { seed: Number(seed) }) };
}
