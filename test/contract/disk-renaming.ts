import { expect, it } from 'vitest';
import { seededBytes } from '../support/bytes.ts';
import { AREA, type DiskTest } from './disk-test.ts';

const [FROM, TO] = [`${AREA}/old`, `${AREA}/new`];

/** The part of the contract about giving a file another name. */
export function describeRenaming(test: DiskTest): void {
  it.each([true, false])(
    'gives a file another name in its folder, with the same bytes (durable: %s)',
    async (durable) => {
      const bytes = seededBytes(5000, 'renamed');
      await test.disk.create(FROM, bytes, { durable });
      await test.disk.rename(FROM, TO, { durable });
      expect((await test.disk.read(TO))?.equals(bytes)).toBe(true);
      expect(await test.disk.read(FROM)).toBeUndefined();
      expect(await test.everything()).toEqual([TO]);
    },
  );

  it('puts a renamed file over one that is there, and then that one is gone', async () => {
    await test.disk.create(FROM, seededBytes(10, 'from'), { durable: false });
    await test.disk.create(TO, seededBytes(9000, 'to'), { durable: false });
    await test.disk.rename(FROM, TO, { durable: true });
    expect((await test.disk.read(TO))?.equals(seededBytes(10, 'from'))).toBe(true);
    expect(await test.everything()).toEqual([TO]);
  });

  it('renames in one step: every read during renames over a file gives one of the files, whole', async () => {
    const files = [seededBytes(200_000, 'a'), seededBytes(90_000, 'b')];
    await test.disk.create(TO, seededBytes(200_000, 'a'), { durable: false });
    let done = false;
    const read = async (): Promise<number> => {
      let reads = 0;
      for (; !done || reads === 0; reads++) {
        const bytes = await test.disk.read(TO);
        if (!files.some((file) => bytes?.equals(file))) throw new Error('a read gave a mixture of files');
      }
      return reads;
    };
    const reading = read();
    for (let round = 0; round < 40; round++) {
      await test.disk.create(FROM, files[round % 2] ?? Buffer.alloc(0), { durable: false });
      await test.disk.rename(FROM, TO, { durable: false });
    }
    done = true;
    expect(await reading).toBeGreaterThan(0);
  });

  it('keeps a file that is given the name that it has', async () => {
    await test.disk.create(FROM, seededBytes(10, 'same'), { durable: false });
    await test.disk.rename(FROM, FROM, { durable: true });
    expect((await test.disk.read(FROM))?.equals(seededBytes(10, 'same'))).toBe(true);
  });

  it('refuses to rename a file that is not there, names disk, path and cause, and leaves the other as it was', async () => {
    const { disk } = test;
    await disk.create(TO, seededBytes(10, 'kept'), { durable: false });
    for (const path of [FROM, `${AREA}/none/old`]) {
      await expect(disk.rename(path, TO, { durable: true })).rejects.toMatchObject({
        name: 'StoreError',
        code: 'DISK_IO',
        details: { disk: disk.name, path, errno: 'ENOENT' },
        cause: { code: 'ENOENT' },
      });
    }
    expect((await disk.read(TO))?.equals(seededBytes(10, 'kept'))).toBe(true);
    expect(await test.everything()).toEqual([TO]);
  });
}
