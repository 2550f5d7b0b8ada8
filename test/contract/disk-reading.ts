import { expect, it } from 'vitest';
import { errnoOf, StoreError } from '../../src/errors.ts';
import { alignedBuffers, BLOCK_SIZE } from '../../src/memory/aligned.ts';
import { seededBytes } from '../support/bytes.ts';
import { AREA, type DiskTest } from './disk-test.ts';

/** The part of the contract about looking, reading, listing and creating. */
export function describeReading(test: DiskTest): void {
  it('is online, and says so in words', async () => {
    expect(await test.disk.state()).toEqual({ status: 'online', reason: 'online' });
  });

  it('reads and stats a file that is not there as undefined', async () => {
    expect(await test.disk.read(`${AREA}/none`)).toBeUndefined();
    expect(await test.disk.read(`${AREA}/none/deeper`, { buffer: Buffer.alloc(10) })).toBeUndefined();
    expect(await test.disk.stat(`${AREA}/none`)).toBeUndefined();
  });

  it('lists a missing folder as an empty one', async () => {
    expect(await test.disk.list(`${AREA}/none`)).toEqual([]);
  });

  it.each([0, 1, 4095, 4096, 4097, 100_000, 1024 * 1024 + 1])(
    'gives back the %i bytes that were created',
    async (size) => {
      const bytes = seededBytes(size, size);
      await test.disk.create(`${AREA}/file`, bytes, { durable: true });
      expect((await test.disk.read(`${AREA}/file`))?.equals(bytes)).toBe(true);
      expect((await test.disk.stat(`${AREA}/file`))?.size).toBe(size);
    },
  );

  it.each([0, 1, 9, 10, 11, 5000])(
    'reads a whole file of 10 bytes whatever buffer it is lent, here of %i bytes',
    async (size) => {
      const bytes = seededBytes(10, 'ten');
      await test.disk.create(`${AREA}/file`, bytes, { durable: false });
      expect((await test.disk.read(`${AREA}/file`, { buffer: Buffer.alloc(size, 0xaa) }))?.equals(bytes)).toBe(true);
    },
  );

  it('asks for its buffer when it begins, where it is lent one so; what the asking throws is what the read rejects with', async () => {
    const bytes = seededBytes(10, 'ten');
    await test.disk.create(`${AREA}/file`, bytes, { durable: false });
    const lent = Buffer.alloc(11);
    const found = await test.disk.read(`${AREA}/file`, { buffer: () => lent });
    expect(found?.equals(bytes)).toBe(true);
    expect(found?.buffer).toBe(lent.buffer);
    const withdrawn = new Error('nobody wants it any more');
    const buffer = (): Buffer => {
      throw withdrawn;
    };
    await expect(test.disk.read(`${AREA}/file`, { buffer })).rejects.toBe(withdrawn);
  });

  it('is not slow, as long as it has kept nobody waiting', async () => {
    await test.disk.create(`${AREA}/file`, Buffer.from('x'), { durable: false });
    await test.disk.read(`${AREA}/file`, { buffer: Buffer.alloc(2), onLate: () => expect.fail('late') });
    expect(test.disk.isSlow).toBe(false);
  });

  it('does not read a file that is longer than its limit, whatever the buffer', async () => {
    await test.disk.create(`${AREA}/file`, seededBytes(5000, 'long'), { durable: false });
    for (const buffer of [undefined, Buffer.alloc(100), Buffer.alloc(4999)]) {
      await expect(test.disk.read(`${AREA}/file`, { buffer, limit: 4998 })).rejects.toMatchObject({
        code: 'DISK_IO',
        details: { fault: 'too-long' },
      });
    }
    expect((await test.disk.read(`${AREA}/file`, { limit: 5000 }))?.length).toBe(5000);
  });

  it.each([0, 1, 4095, 4096, 4097, 8191, 8192, 100_000])(
    'reads %i bytes past the caches just as through them, where that is asked for',
    async (size) => {
      const bytes = seededBytes(size, 'direct');
      await test.disk.create(`${AREA}/file`, bytes, { durable: false });
      const [aligned] = alignedBuffers(1, Math.ceil((size + 1) / BLOCK_SIZE) * BLOCK_SIZE);
      for (const buffer of [undefined, aligned, Buffer.alloc(size + 1), aligned?.subarray(1)]) {
        expect((await test.disk.read(`${AREA}/file`, { buffer, limit: size, direct: true }))?.equals(bytes)).toBe(true);
        expect(
          (await test.disk.read(`${AREA}/file`, { buffer, limit: size + 5000, direct: true }))?.equals(bytes),
        ).toBe(true);
      }
      expect(await test.disk.read(`${AREA}/none`, { buffer: aligned, limit: size, direct: true })).toBeUndefined();
    },
  );

  it.each([4096, 8192, 12_288])(
    'does not take a part of a file for the whole, past the caches neither: a buffer of %i bytes',
    async (size) => {
      await test.disk.create(`${AREA}/file`, seededBytes(10_000, 'long'), { durable: false });
      const [buffer] = alignedBuffers(1, size);
      for (const limit of [1, 4095, 4096, 8192, 9999]) {
        const outcome = test.disk.read(`${AREA}/file`, { buffer, limit, direct: true });
        // A disk may give what fits into the buffer; whoever asked sees that it is more than the limit.
        const told = await outcome.then(
          (bytes) => bytes?.length,
          (error: unknown) => errnoOf(error instanceof StoreError ? error.cause : error),
        );
        expect(['EFBIG', 10_000], `limit ${limit}`).toContain(told);
      }
    },
  );

  it('reads into the buffer that it is lent where the bytes fit with room to spare', async () => {
    await test.disk.create(`${AREA}/file`, seededBytes(10, 'ten'), { durable: false });
    const lent = Buffer.alloc(11);
    const read = await test.disk.read(`${AREA}/file`, { buffer: lent });
    expect(read?.buffer).toBe(lent.buffer);
    expect(read?.byteOffset).toBe(lent.byteOffset);
  });

  it('refuses to create a file that exists, names disk, path and cause, and leaves the file as it was', async () => {
    const bytes = seededBytes(10, 'first');
    await test.disk.create(`${AREA}/file`, bytes, { durable: false });
    await expect(test.disk.create(`${AREA}/file`, seededBytes(20, 'second'), { durable: false })).rejects.toMatchObject(
      {
        name: 'StoreError',
        code: 'DISK_IO',
        details: { disk: test.disk.name, path: `${AREA}/file`, errno: 'EEXIST' },
        cause: { code: 'EEXIST' },
      },
    );
    expect((await test.disk.read(`${AREA}/file`))?.equals(bytes)).toBe(true);
  });

  it('lists what is directly in a folder, and tells folders from files', async () => {
    await test.publish(`${AREA}/file`, seededBytes(1, 1));
    await test.publish(`${AREA}/folder/inner`, seededBytes(1, 1));
    await test.publish(`${AREA}/folder/deep/innermost`, seededBytes(1, 1));
    const entries = await test.disk.list(AREA);
    expect(entries.sort((a, b) => (a.name < b.name ? -1 : 1))).toEqual([
      { name: 'file', isFolder: false },
      { name: 'folder', isFolder: true },
    ]);
  });

  it('keeps a stamp while a file stays, and gives another one whenever it has been replaced, with equal bytes too', async () => {
    const stamps = new Set<string | undefined>();
    for (let round = 0; round < 50; round++) {
      await test.publish(`${AREA}/file`, Buffer.from('same'));
      const stat = await test.disk.stat(`${AREA}/file`);
      expect(await test.disk.stat(`${AREA}/file`)).toEqual(stat);
      stamps.add(stat?.stamp);
    }
    expect(stamps.size).toBe(50);
  });

  it('takes many calls at once', async () => {
    const names = Array.from({ length: 40 }, (_, index) => `${AREA}/file${index}`);
    await Promise.all(names.map((name) => test.disk.create(name, Buffer.from(name), { durable: true })));
    await test.disk.syncFolder(AREA);
    const read = await Promise.all(names.map((name) => test.disk.read(name)));
    expect(read.map(String)).toEqual(names);
  });

  it('makes a folder that is there already without an error, and fails or does nothing for one whose parent is missing', async () => {
    const { disk } = test;
    await disk.makeFolder(`${AREA}/folder`);
    await disk.makeFolder(`${AREA}/folder`);
    await disk.syncFolder(`${AREA}/folder`);
    const orphan = disk.makeFolder(`${AREA}/none/folder`);
    if (!test.hasFolders) {
      await orphan;
      expect(await test.everything()).toEqual([]);
      return;
    }
    await expect(orphan).rejects.toMatchObject({ code: 'DISK_IO', details: { disk: disk.name, errno: 'ENOENT' } });
    expect(await test.everything()).toEqual([`${AREA}/folder/`]);
  });

  it('fails to create a file in a folder that is missing, if it has folders, and then leaves nothing', async () => {
    const { disk } = test;
    const created = disk.create(`${AREA}/none/file`, Buffer.from('x'), { durable: true });
    if (!test.hasFolders) {
      await created;
      expect(await test.everything()).toEqual([`${AREA}/none/`, `${AREA}/none/file`]);
      return;
    }
    await expect(created).rejects.toMatchObject({ code: 'DISK_IO', details: { disk: disk.name, errno: 'ENOENT' } });
    expect(await test.everything()).toEqual([]);
  });

  it('fails to sync a folder that is missing, if it has folders: a name that is not there cannot be durable', async () => {
    const { disk } = test;
    const synced = disk.syncFolder(`${AREA}/none`);
    if (test.hasFolders) await expect(synced).rejects.toMatchObject({ code: 'DISK_IO', details: { errno: 'ENOENT' } });
    else await expect(synced).resolves.toBeUndefined();
  });
}
