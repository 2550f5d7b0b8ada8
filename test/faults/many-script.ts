/** Works on many files of a disk with the compiled library, and says on standard output what has been done. */
import { writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type * as LocalManyModule from '../../src/disks/local/local-many.ts';
import type * as LocalDiskModule from '../../src/disks/local/local-disk.ts';
import type * as CallGateModule from '../../src/concurrency/call-gate.ts';

const [, , library = '', root = '', isShared = ''] = process.argv;
const load = (module: string): Promise<unknown> => import(join(dirname(library), module));
const { LocalMany } = (await load('disks/local/local-many.js')) as typeof LocalManyModule;
const { LocalDisk } = (await load('disks/local/local-disk.js')) as typeof LocalDiskModule;
const { NO_TURNS } = (await load('concurrency/call-gate.js')) as typeof CallGateModule;

const disk = new LocalDisk(root, { storeId: '', name: 'disk1', id: '' });
const many =
  isShared === 'shared'
    ? new LocalMany(disk, root, NO_TURNS)
    : new LocalMany(disk, root, NO_TURNS, () => Promise.resolve(undefined));
const indices = [0, 1, 2, 3, 4];
const durable = true;
const chunks = indices.map((index) => ({
  path: `chunks/a${index % 2}/${index}`,
  bytes: Buffer.from(`chunk ${index}`),
}));
const metas = indices.map((index) => ({
  path: `buckets/b/${index}`,
  bytes: Buffer.from(`meta ${index}`),
  id: `id-${index}`,
  within: 'buckets',
}));

function say(what: string, failures: ReadonlyMap<number, Error>): void {
  for (const error of failures.values()) throw error;
  writeSync(1, `${what}\n`);
}

say('created', await many.createMany(chunks, { within: 'chunks', durable }));
const staged = await many.stageMany(metas, { durable });
say('staged', staged.failures);
say('published', await staged.publish(indices));
say(
  'removed',
  await many.removeMany(
    chunks.map(({ path }) => ({ path, within: 'chunks' })),
    { durable },
  ),
);
