import { Chalk } from 'chalk';
import type { ObjectMeta } from '../../index.ts';
import { parseObjectAddress } from '../input/address.ts';
import { drawChunks } from '../terminal/chunk-picture.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { formatBytes, plural, printable } from '../terminal/format.ts';
import type { Io } from '../terminal/io.ts';
import { openStore } from '../input/open-store.ts';
import { describeRedundancy } from '../input/redundancy.ts';
import type { CommonOptions } from '../input/options.ts';

export interface StatCommandOptions extends CommonOptions {
  allowStale?: true;
}

/** Shows an object's meta; for people with a picture of its chunks. */
export async function runStat(address: string, options: StatCommandOptions, io: Io): Promise<number> {
  const { bucket, key } = parseObjectAddress(address);
  const store = await openStore(options, io);
  const meta = await store.head(bucket, key, options);
  if (options.json === true) {
    await io.stdout.json(meta);
    return EXIT.done;
  }
  const chalk = io.stdout.isTerminal ? new Chalk() : new Chalk({ level: 0 });
  const disks = store.document.disks.map((disk) => disk.name);
  const parity = meta.parity.length === 0 ? '' : ` and ${plural(meta.parity.length, 'parity chunk')}`;
  const chunks = plural(meta.chunks.length, 'chunk') + parity;
  const rows = [
    ['object', printable(`${meta.bucket}/${meta.key}`)],
    ['size', `${formatBytes(meta.size)} (${meta.size} bytes)`],
    ['type', printable(meta.contentType)],
    ['version', meta.version],
    ['created', meta.createdAt],
    ['redundancy', describeRedundancy(meta.redundancy, disks.length)],
    ['chunks', `${chunks} of up to ${formatBytes(meta.chunkSize)}${describeFiles(meta)}`],
  ] as const;
  for (const [name, value] of rows) await io.stdout.line(`${chalk.dim(name.padEnd(10))}  ${value}`);
  for (const line of drawChunks(meta, disks, io.stdout.columns, chalk)) await io.stdout.line(line);
  return EXIT.done;
}

/** Where an object's files are on their disks: a pattern for each of its uploads. */
function describeFiles({ chunks, parity }: ObjectMeta): string {
  const patterns = new Set([...chunks, ...parity].map(({ file }) => `${file.slice(0, file.indexOf('.'))}.*`));
  return patterns.size === 0 ? '' : ` in ${[...patterns].join(', ')}`;
}
