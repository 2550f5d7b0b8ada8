import { describe, expect, it } from 'vitest';
import { FanOutFolders } from '../../src/chunks/fan-out-folders.ts';
import { ChunkWriter } from '../../src/chunks/chunk-writer.ts';
import { openSource } from '../../src/chunks/source.ts';
import { FaultyDisk, type PlannedFault } from '../support/faulty-disk.ts';
import { CHUNK_SIZE } from '../../src/metadata/meta.ts';
import { fanOutOf } from '../../src/metadata/shard-file.ts';
import { parseRedundancy } from '../../src/metadata/redundancy.ts';
import { shardsOf, stripesOf } from '../../src/metadata/stripes.ts';
import { makeDisks } from '../disks/make-disks.ts';
import { VERSION } from '../metadata/sample-meta.ts';
import { seededBytes } from '../support/bytes.ts';
import { Budget } from '../../src/concurrency/budget.ts';
import { CountingPool } from '../memory/counting-pool.ts';

const FOLDER = fanOutOf(VERSION);
const BYTES = seededBytes(4 * CHUNK_SIZE, 'object');

/** A durable writer on three disks of which the given ones can't sync a folder any more, once their chunks are written. */
function prepare(redundancy: string, vanished: readonly string[], folder = FOLDER) {
  const fault: PlannedFault = { operation: 'syncFolder', path: folder, effect: { kind: 'fail', errno: 'EIO' } };
  const disks = makeDisks(3).map(({ disk }) => new FaultyDisk(disk, vanished.includes(disk.name) ? [fault] : []));
  const belong = disks.map(({ name }) => name);
  const writer = new ChunkWriter(disks, {
    id: VERSION,
    redundancy: parseRedundancy(redundancy),
    belong,
    durable: true,
    concurrency: 4,
    pool: new CountingPool(),
    budget: new Budget(Infinity),
    folders: new FanOutFolders(),
  });
  return { disks, writer, write: async () => writer.write(await openSource(BYTES)) };
}

describe('a disk that vanishes between the writing of its chunks and the syncing of their names', () => {
  it.each([FOLDER, 'chunks'])(
    'does not end an upload that has disks to spare: what was on it counts as unwritten, and goes (%s)',
    async (folder) => {
      const { disks, writer, write } = prepare('2+1', ['disk2'], folder);
      const written = await write();
      const shards = stripesOf(written).flatMap(shardsOf);
      expect(new Set(written.unwritten)).toEqual(new Set(shards.filter(({ disk }) => disk === 'disk2')));
      expect(written.unwritten).toHaveLength(2);
      expect([...writer.failures]).toMatchObject([
        [disks[1], { code: 'DISK_IO', details: { disk: 'disk2', errno: 'EIO' } }],
      ]);
      for (const disk of disks) expect(await disk.list(FOLDER)).toHaveLength(disk.name === 'disk2' ? 0 : 2);
      disks[1]?.expectAllFired();
    },
  );

  it.each([
    ['1+0', ['disk2']],
    ['1+1', ['disk2']],
    ['2+1', ['disk1', 'disk2']],
  ])(
    'ends one of which too little is left with the error of the disk (%s without %j), and discard leaves nothing',
    async (redundancy, vanished) => {
      const { disks, writer, write } = prepare(redundancy, vanished);
      await expect(write()).rejects.toMatchObject({ code: 'DISK_IO', details: { errno: 'EIO' } });
      await writer.discard();
      for (const disk of disks) expect(await disk.list(FOLDER)).toEqual([]);
    },
  );
});
