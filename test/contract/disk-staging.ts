import { expect, it } from 'vitest';
import { STAGING_FOLDER } from '../../src/disks/disk.ts';
import { seededBytes } from '../support/bytes.ts';
import { AREA, type DiskTest } from './disk-test.ts';

const PATH = `${AREA}/one/two/file`;

/** The part of the contract about staging, publishing and discarding. */
export function describeStaging(test: DiskTest): void {
  const options = (id: string, durable = true): { id: string; within: string; durable: boolean } => ({
    id,
    within: AREA,
    durable,
  });

  it.each([true, false])(
    'publishes a staged file under its path and leaves nothing of the staging (durable: %s)',
    async (durable) => {
      const bytes = seededBytes(5000, 'staged');
      const staged = await test.disk.stage(PATH, bytes, options('id-1', durable));
      expect(await test.disk.read(PATH)).toBeUndefined();
      await staged.publish();
      expect((await test.disk.read(PATH))?.equals(bytes)).toBe(true);
      expect(await test.everything()).toEqual([`${AREA}/one/`, `${AREA}/one/two/`, PATH]);
    },
  );

  it('keeps what is staged under a name that begins with the id, where whoever clears up finds it', async () => {
    await test.disk.stage(PATH, seededBytes(10, 1), options('id-2'));
    expect((await test.disk.list(STAGING_FOLDER)).map(({ name }) => name.startsWith('id-2'))).toEqual([true]);
  });

  it('leaves nothing of a staged file that is discarded, its folders included', async () => {
    const staged = await test.disk.stage(PATH, seededBytes(10, 1), options('id-3'));
    await staged.discard();
    expect(await test.everything()).toEqual([]);
  });

  it('discards twice without an error', async () => {
    const staged = await test.disk.stage(PATH, seededBytes(10, 1), options('id-4'));
    await staged.discard();
    await staged.discard();
    expect(await test.everything()).toEqual([]);
  });

  it('keeps folders that hold something else when a staged file is discarded', async () => {
    await test.publish(`${AREA}/one/other`, seededBytes(3, 1));
    const staged = await test.disk.stage(PATH, seededBytes(10, 1), options('id-5'));
    await staged.discard();
    expect(await test.everything()).toEqual([`${AREA}/one/`, `${AREA}/one/other`]);
  });

  it('replaces a file in one step: every read during replacements gives one of the versions, whole', async () => {
    const versions = [seededBytes(200_000, 'a'), seededBytes(90_000, 'b'), seededBytes(200_000, 'c')];
    await test.publish(PATH, seededBytes(200_000, 'a'));
    let done = false;
    const readers = Array.from({ length: 4 }, async () => {
      let reads = 0;
      for (; !done || reads === 0; reads++) {
        const bytes = await test.disk.read(PATH);
        if (!versions.some((version) => bytes?.equals(version))) throw new Error('a read gave a mixture of versions');
      }
      return reads;
    });
    for (let round = 0; round < 60; round++) await test.publish(PATH, versions[round % 3] ?? Buffer.alloc(0));
    done = true;
    for (const reads of await Promise.all(readers)) expect(reads).toBeGreaterThan(0);
  });

  it('stages two operations on one path side by side, and the last to publish wins', async () => {
    const first = await test.disk.stage(PATH, Buffer.from('first'), options('id-6'));
    const second = await test.disk.stage(PATH, Buffer.from('second'), options('id-7'));
    await second.publish();
    await first.publish();
    expect(String(await test.disk.read(PATH))).toBe('first');
    expect(await test.everything()).toEqual([`${AREA}/one/`, `${AREA}/one/two/`, PATH]);
  });

  it('publishes although others keep removing the same folders as empty', async () => {
    await Promise.all(
      Array.from({ length: 8 }, async (_, worker) => {
        const path = `${AREA}/one/two/file${worker}`;
        for (let round = 0; round < 25; round++) {
          const bytes = Buffer.from(`${worker} ${round}`);
          const staged = await test.disk.stage(path, bytes, options(`race-${worker}`, round % 2 === 0));
          await staged.publish();
          expect((await test.disk.read(path))?.equals(bytes)).toBe(true);
          await test.disk.remove(path, { within: AREA, durable: false });
        }
      }),
    );
    expect(await test.everything()).toEqual([]);
  });

  it('discards although others keep removing the same folders as empty', async () => {
    await Promise.all(
      Array.from({ length: 8 }, async (_, worker) => {
        for (let round = 0; round < 25; round++) {
          const path = `${AREA}/one/two/file${worker}`;
          const staged = await test.disk.stage(path, Buffer.from('x'), options(`race-${worker}`, false));
          await staged.discard();
        }
      }),
    );
    expect(await test.everything()).toEqual([]);
  });

  it('fails to stage or publish where `within` is missing, if it has folders, and leaves nothing', async () => {
    const { disk } = test;
    const within = `${AREA}/none`;
    const work = async (path: string): Promise<void> => {
      const staged = await disk.stage(path, Buffer.from('x'), { id: 'id-8', within, durable: true });
      try {
        await staged.publish();
      } catch (error) {
        await staged.discard();
        throw error;
      }
    };
    for (const path of [`${within}/file`, `${within}/folder/file`]) {
      if (test.hasFolders) {
        await expect(work(path)).rejects.toMatchObject({
          code: 'DISK_IO',
          details: { disk: disk.name, errno: 'ENOENT' },
        });
        expect(await test.everything()).toEqual([]);
      } else {
        await work(path);
        expect(String(await disk.read(path))).toBe('x');
      }
    }
  });
}
