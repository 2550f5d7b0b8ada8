import { checkBucketName, type PutItem, type PutResult } from '../../index.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { printError, printNote, printWarning } from '../terminal/failure.ts';
import { findJobs } from '../input/upload-jobs.ts';
import { formatSummary, formatTransfer, plural, printable, speedOf } from '../terminal/format.ts';
import type { Io } from '../terminal/io.ts';
import { LaterLines } from '../terminal/later-lines.ts';
import { openStore } from '../input/open-store.ts';
import type { CommonOptions } from '../input/options.ts';
import { startProgress } from '../terminal/progress.ts';
import { checkedRedundancy } from '../input/redundancy.ts';

export interface UploadOptions extends CommonOptions {
  key?: string;
  prefix?: string;
  recursive?: true;
  contentType?: string;
  redundancy?: string;
  durability?: 'fsync' | 'none';
  concurrency: number;
}

interface UploadItem extends PutItem {
  /** When its turn came. */
  began: number;
}

/** Uploads files into a bucket, and tells the exit code. A file that fails does not stop the others. */
export async function runUpload(
  bucket: string,
  files: readonly string[],
  options: UploadOptions,
  io: Io,
): Promise<number> {
  checkBucketName(bucket);
  checkedRedundancy(options.redundancy);
  const isQuiet = options.quiet === true || !io.stderr.isTerminal;
  const { jobs, failures } = await findJobs(files, options, !isQuiet);
  const isSingle = jobs.length + failures.length === 1;
  const [first] = failures;
  if (isSingle && first !== undefined) throw first.error;
  for (const { error } of failures) await printError(error, io);
  if (jobs.length === 0 && failures.length === 0) await printWarning('there is nothing to upload', io);
  if (jobs.length === 0) return failures.length === 0 ? EXIT.done : EXIT.failed;

  const { concurrency, durability, redundancy } = options;
  const store = await openStore(options, io, { create: true, concurrency, redundancy });
  await store.ensureBucket(bucket, { signal: io.signal });
  const isSized = jobs.every((job) => job.size !== undefined);
  const total = isSized ? jobs.reduce((sum, job) => sum + (job.size ?? 0), 0) : undefined;
  const label = isSingle ? printable(jobs[0]?.key ?? '') : plural(jobs.length, 'file');
  const progress = await startProgress(io.stderr, label, total, isQuiet);
  const began = performance.now();
  const typeOf = options.contentType === undefined ? await loadTypes() : () => options.contentType;
  const how = { redundancy, durability, signal: io.signal, onBytes: progress.add };
  function* items(): Generator<UploadItem> {
    for (const { key, path } of jobs) {
      if (io.signal.aborted) return;
      const source = path ?? io.stdin;
      yield { bucket, key, source, contentType: typeOf(key), ...how, began: performance.now() };
    }
  }
  const done: PutResult[] = [];
  const failed: unknown[] = [];
  const lines = new LaterLines(io);
  const warned = new Set<string>();
  try {
    for await (const outcome of store.putMany(items())) {
      if ('error' in outcome) {
        const { error } = outcome;
        failed.push(error);
        if (!isSingle && error.code !== 'ABORTED') await lines.add(() => printError(error, io));
      } else {
        const { item, result } = outcome;
        const milliseconds = performance.now() - item.began;
        done.push(result);
        await lines.add(async () => {
          await warnOf(result, warned, io);
          await report(result, milliseconds, options, io);
        });
      }
    }
  } finally {
    progress.stop();
  }
  await lines.flush();
  if (io.signal.aborted) return EXIT.interrupted;
  if (isSingle && failed.length > 0) throw failed[0];
  const failedCount = failed.length + failures.length;
  if (!isSingle && options.quiet !== true && options.json !== true) {
    const bytes = done.reduce((sum, { meta }) => sum + meta.size, 0);
    await io.stdout.line(formatSummary(done.length, bytes, failedCount, performance.now() - began));
  }
  if (options.quiet !== true) await noteUnprotected(done, store.document.disks.length, io);
  return failedCount === 0 ? EXIT.done : EXIT.failed;
}

/** Guesses the MIME types of keys. */
async function loadTypes(): Promise<(key: string) => string | undefined> {
  const { default: mime } = await import('mime/lite');
  return (key) => mime.getType(key) ?? undefined;
}

/** @param warned what has been said of disks, which is said once for all files */
async function warnOf(result: PutResult, warned: Set<string>, io: Io): Promise<void> {
  const warn = async (reason: string): Promise<void> => {
    if (warned.has(reason)) return;
    warned.add(reason);
    await printWarning(`${reason}; the upload went on without it`, io);
  };
  for (const { disk, state } of result.offline) await warn(`disk "${disk}" is ${state.status} (${state.reason})`);
  for (const { reason } of result.failed) await warn(reason);
  if (result.unwritten.length > 0) await printWarning(describeUnwritten(result), io);
}

async function report(result: PutResult, milliseconds: number, options: UploadOptions, io: Io): Promise<void> {
  const { meta, offline, failed, unwritten } = result;
  const chunks: Record<string, number> = {};
  for (const { disk } of meta.chunks) chunks[disk] = (chunks[disk] ?? 0) + 1;
  if (options.json === true) {
    const { bucket, key, version, size, contentType, redundancy } = meta;
    const protection = { redundancy, parity: meta.parity.length, unwritten: unwritten.length };
    const object = { bucket, key, version, size, contentType, chunks, ...protection };
    await io.stdout.json({ ...object, ...speedOf(size, milliseconds), offline, failed });
  } else if (options.quiet !== true) {
    const spread = Object.entries(chunks)
      .sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
      .map(([disk, count]) => `${disk}: ${count}`);
    const where = spread.length === 0 ? '' : ` (${spread.join(', ')})`;
    const name = printable(`${meta.bucket}/${meta.key}`);
    const parity = meta.parity.length === 0 ? '' : `  ${meta.redundancy}: ${meta.parity.length} parity`;
    const count = plural(meta.chunks.length, 'chunk') + where;
    await io.stdout.line(`${name}  ${count}${parity}  ${formatTransfer(meta.size, milliseconds)}`);
  }
}

function describeUnwritten({ meta, unwritten }: PutResult): string {
  const lack = `${plural(unwritten.length, 'chunk')} had no disk to go to`;
  return `${meta.bucket}/${meta.key} is not yet fully protected: ${lack}; "store heal" mends that`;
}

/** Once for all: objects that a lost disk takes with it, and how to change that. */
async function noteUnprotected(done: readonly PutResult[], disks: number, io: Io): Promise<void> {
  const bare = done.filter(({ meta }) => meta.chunks.length > 0 && meta.parity.length === 0);
  const [first] = bare;
  if (first === undefined) return;
  const who = bare.length === 1 ? `${first.meta.bucket}/${first.meta.key}` : plural(bare.length, 'object');
  const how =
    disks === 1
      ? '"store disk add" adds a second disk, and then --redundancy 1+1 keeps two copies'
      : '--redundancy 1+1 keeps two copies ("store bucket create" and "store init" take it too)';
  await printNote(`${who} would not survive the loss of a disk: ${how}`, io);
}
