import type { Listed } from '../../index.ts';
import { parseAddress } from '../input/address.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { printError } from '../terminal/failure.ts';
import { formatBytes, printable } from '../terminal/format.ts';
import type { Io } from '../terminal/io.ts';
import { openStore } from '../input/open-store.ts';
import type { CommonOptions } from '../input/options.ts';

export interface ListCommandOptions extends CommonOptions {
  recursive?: true;
  allowStale?: true;
}

/** Lists buckets, or a bucket's objects. What is damaged is named, and the rest is listed all the same. */
export async function runList(address: string | undefined, options: ListCommandOptions, io: Io): Promise<number> {
  if (address === undefined) return runBucketList(options, io);
  const place = parseAddress(address);
  const store = await openStore(options, io);
  let damaged = 0;
  const onDamaged = (_: string, error: Error): void => {
    damaged++;
    void printError(error, io);
  };
  const listOptions = { prefix: place.key ?? '', allowStale: options.allowStale, onDamaged };
  const entries: AsyncIterable<Listed> =
    options.recursive === true
      ? store.list(place.bucket, listOptions)
      : store.list(place.bucket, { ...listOptions, folders: true });
  for await (const entry of entries) {
    if (io.stdout.broken || io.signal.aborted) break;
    await io.stdout.result(options, toJson(place.bucket, entry), toLine(entry));
  }
  if (io.signal.aborted) return EXIT.interrupted;
  return damaged === 0 ? EXIT.done : EXIT.unavailable;
}

/** Lists buckets. */
export async function runBucketList(options: ListCommandOptions, io: Io): Promise<number> {
  const store = await openStore(options, io);
  for (const { bucket, createdAt, redundancy } of await store.listBuckets(options)) {
    const own = redundancy === undefined ? '' : `  ${redundancy}`;
    const words = `${formatTime(createdAt)}  ${bucket}${own}`;
    await io.stdout.result(options, { bucket, createdAt, redundancy }, words);
  }
  return EXIT.done;
}

function toJson(bucket: string, entry: Listed): object {
  if (entry.kind === 'folder') return { bucket, prefix: entry.prefix };
  const { key, size, version, createdAt, contentType } = entry;
  return { bucket, key, size, version, createdAt, contentType };
}

const SIZE_WIDTH = 9;
const TIME_WIDTH = 16;

function toLine(entry: Listed): string {
  if (entry.kind === 'folder')
    return `${' '.repeat(TIME_WIDTH)}  ${''.padStart(SIZE_WIDTH)}  ${printable(entry.prefix)}`;
  return `${formatTime(entry.createdAt)}  ${formatBytes(entry.size).padStart(SIZE_WIDTH)}  ${printable(entry.key)}`;
}

/** `2026-11-22 12:00`, UTC as in the meta. */
function formatTime(iso: string): string {
  return iso.slice(0, TIME_WIDTH).replace('T', ' ');
}
