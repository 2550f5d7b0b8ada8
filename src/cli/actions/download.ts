import * as path from 'node:path';
import { isStoreError } from '../../index.ts';
import type { ByteRange, GetItem, ObjectMeta, ObjectStore, StoreError } from '../../index.ts';
import { noSuchPrefix, parseAddress } from '../input/address.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { printError, printNote, UsageError } from '../terminal/failure.ts';
import { formatSummary, formatTransfer, printable, speedOf } from '../terminal/format.ts';
import type { Io } from '../terminal/io.ts';
import { LaterLines } from '../terminal/later-lines.ts';
import { openStore } from '../input/open-store.ts';
import type { CommonOptions } from '../input/options.ts';
import { startProgress } from '../terminal/progress.ts';
import { Rebuilt } from '../terminal/rebuilt.ts';
import { parseRange } from '../input/range-option.ts';
import { resolveTarget, targetBelow, TargetFolder, type Target } from '../input/target.ts';
import { copyToDevice, copyToOutput } from './copy.ts';

export interface DownloadOptions extends CommonOptions {
  output?: string;
  range?: string;
  prefix?: string;
  recursive?: true;
  allowStale?: true;
  concurrency: number;
}

export const DEFAULT_FOLDER = 'downloaded_files';

/** Downloads an object, or everything under a prefix, and tells the exit code. */
export async function runDownload(address: string, options: DownloadOptions, io: Io): Promise<number> {
  const isMany = options.recursive === true || options.prefix !== undefined;
  const { bucket, key } = parseAddress(address);
  if (isMany && options.range !== undefined) throw new UsageError('--range goes with one object');
  if (isMany && options.output === '-') throw new UsageError('-o - (standard output) goes with one object');
  if (options.prefix !== undefined && key !== undefined) throw new UsageError('--prefix goes with a bucket alone');
  if (!isMany && (key === undefined || key === ''))
    throw new UsageError(`"${address}" names no object; it needs <bucket>/<key>`);
  const range = options.range === undefined ? undefined : parseRange(options.range);
  const store = await openStore(options, io, { concurrency: options.concurrency });
  if (isMany) return downloadMany({ store, bucket, options, io }, options.prefix ?? key ?? '');
  return downloadOne({ store, bucket, options, io }, key ?? '', range);
}

/** One of many downloads. */
interface DownloadItem extends GetItem {
  /** When its turn came. */
  began: number;
  rebuilt: Rebuilt;
}

/** What the downloads of a command have in common. */
interface Download {
  store: ObjectStore;
  bucket: string;
  options: DownloadOptions;
  io: Io;
}

async function downloadOne(download: Download, key: string, range: ByteRange | undefined): Promise<number> {
  const { store, bucket, options, io } = download;
  const rebuilt = new Rebuilt();
  const common = { range, allowStale: options.allowStale, signal: io.signal, onRebuilt: rebuilt.add };
  if (options.output === '-') {
    await copyToOutput(await store.get(bucket, key, common), io);
    await noteRebuilt(rebuilt, options, io);
    return EXIT.done;
  }
  const target: Target =
    options.output === undefined
      ? { kind: 'file', path: await targetBelow(DEFAULT_FOLDER, key) }
      : await resolveTarget(options.output);
  const file = target.kind === 'folder' ? await targetBelow(target.path, path.posix.basename(key)) : target.path;
  const began = performance.now();
  const isQuiet = options.quiet === true || !io.stderr.isTerminal;
  const total = isQuiet || range !== undefined ? undefined : (await store.head(bucket, key, common)).size;
  const progress = await startProgress(io.stderr, printable(key), total, isQuiet);
  try {
    let bytes = 0;
    const onBytes = (read: number): void => {
      bytes += read;
      progress.add(read);
    };
    const meta =
      target.kind === 'stream'
        ? await copyToDevice(file, await store.get(bucket, key, { ...common, onBytes }), io)
        : await store.getToFile(bucket, key, file, { ...common, onBytes });
    progress.stop();
    await report(meta, file, { bytes, milliseconds: performance.now() - began, rebuilt: rebuilt.count }, options, io);
    await noteRebuilt(rebuilt, options, io);
    return EXIT.done;
  } finally {
    progress.stop();
  }
}

async function downloadMany({ store, bucket, options, io }: Download, prefix: string): Promise<number> {
  const folder = options.output ?? DEFAULT_FOLDER;
  const began = performance.now();
  const progress = await startProgress(io.stderr, printable(`${bucket}/${prefix}`), undefined, options.quiet === true);
  let files = 0;
  let bytes = 0;
  let failed = 0;
  const rebuiltInAll = new Rebuilt();
  const lines = new LaterLines(io);
  const fail = async (error: StoreError): Promise<void> => {
    failed++;
    await lines.add(() => printError(error, io));
  };
  async function* items(): AsyncGenerator<DownloadItem> {
    const target = new TargetFolder(folder);
    const { allowStale } = options;
    const onDamaged = (_: string, error: StoreError): undefined => void fail(error);
    for await (const { key, size } of store.list(bucket, { prefix, allowStale, onDamaged })) {
      if (io.signal.aborted) return;
      const began = performance.now();
      const rebuilt = new Rebuilt(rebuiltInAll);
      const watch = { signal: io.signal, onBytes: progress.add, onRebuilt: rebuilt.add };
      try {
        const file = await target.fileOf(key);
        yield { bucket, key, file, size, allowStale, ...watch, began, rebuilt };
      } catch (error) {
        if (!isStoreError(error)) throw error;
        await fail(error);
      }
    }
  }
  try {
    for await (const outcome of store.getManyToFiles(items())) {
      const { item } = outcome;
      if ('error' in outcome) {
        // Deleted since it was listed: it is not there, as asked.
        if (!isStoreError(outcome.error, 'NO_SUCH_KEY', 'ABORTED')) await fail(outcome.error);
        continue;
      }
      const { meta } = outcome;
      files++;
      bytes += meta.size;
      const milliseconds = performance.now() - item.began;
      const transfer = { bytes: meta.size, milliseconds, rebuilt: item.rebuilt.count };
      await lines.add(() => report(meta, item.file, transfer, options, io));
    }
  } finally {
    progress.stop();
  }
  await lines.flush();
  if (io.signal.aborted) return EXIT.interrupted;
  if (files + failed === 0) throw noSuchPrefix(bucket, prefix);
  if (options.quiet !== true && options.json !== true) {
    await io.stdout.line(formatSummary(files, bytes, failed, performance.now() - began));
  }
  await noteRebuilt(rebuiltInAll, options, io);
  return failed === 0 ? EXIT.done : EXIT.failed;
}

interface Transfer {
  bytes: number;
  milliseconds: number;
  /** Chunks that were computed from parity. */
  rebuilt: number;
}

async function report(meta: ObjectMeta, file: string, of: Transfer, options: DownloadOptions, io: Io): Promise<void> {
  const { bytes, milliseconds, rebuilt } = of;
  const { bucket, key, version, size, contentType } = meta;
  if (options.json === true) {
    const speed = speedOf(bytes, milliseconds);
    await io.stdout.json({ bucket, key, version, size, contentType, file, bytes, rebuilt, ...speed });
  } else if (options.quiet !== true) {
    const names = `${printable(`${bucket}/${key}`)} → ${printable(file)}`;
    await io.stdout.line(`${names}  ${formatTransfer(bytes, milliseconds)}`);
  }
}

async function noteRebuilt(rebuilt: Rebuilt, options: DownloadOptions, io: Io): Promise<void> {
  const note = rebuilt.describe();
  if (note !== undefined && options.quiet !== true) await printNote(note, io);
}
