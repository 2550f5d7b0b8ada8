import { expect, it } from 'vitest';
import { seededBytes } from '../support/bytes.ts';
import { AREA, type DiskTest } from './disk-test.ts';

/** The part of the contract about removing files and folders. */
export function describeRemoving(test: DiskTest): void {
  it('removes a file that is not there without an error', async () => {
    await test.disk.remove(`${AREA}/none`, { within: AREA, durable: true });
    await test.disk.remove(`${AREA}/none/deeper/file`, { within: AREA, durable: true });
    expect(await test.everything()).toEqual([]);
  });

  it('removes a file and the empty folders above it, up to but not including `within`', async () => {
    const { disk } = test;
    await disk.makeFolder(`${AREA}/one`);
    await test.publish(`${AREA}/one/two/three/file`, seededBytes(10, 1));
    await disk.remove(`${AREA}/one/two/three/file`, { within: `${AREA}/one`, durable: true });
    expect(await test.everything()).toEqual(test.hasFolders ? [`${AREA}/one/`] : []);
  });

  it('keeps the folders of a removed file that hold something else', async () => {
    await test.publish(`${AREA}/one/other`, seededBytes(10, 1));
    await test.publish(`${AREA}/one/two/file`, seededBytes(10, 1));
    await test.disk.remove(`${AREA}/one/two/file`, { within: AREA, durable: true });
    expect(await test.everything()).toEqual([`${AREA}/one/`, `${AREA}/one/other`]);
  });

  it('removes the empty folders above a file that is gone already, as a delete that was cut short leaves them', async () => {
    const { disk } = test;
    await disk.makeFolder(`${AREA}/one`);
    await disk.makeFolder(`${AREA}/one/two`);
    await disk.makeFolder(`${AREA}/uno`);
    await disk.remove(`${AREA}/one/two/file`, { within: AREA, durable: true });
    await disk.remove(`${AREA}/uno/due/file`, { within: AREA, durable: true });
    expect(await test.everything()).toEqual([]);
  });

  it('removes many files of one folder at once, durably', async () => {
    for (let round = 0; round < 60; round++) {
      const paths = Array.from({ length: 8 }, (_, index) => `${AREA}/one/two/file${index}`);
      await Promise.all(paths.map((path) => test.publish(path, seededBytes(1, 1))));
      await Promise.all(paths.map((path) => test.disk.remove(path, { within: AREA, durable: true })));
      expect(await test.everything()).toEqual([]);
    }
  });

  it('removes an empty or missing folder, and keeps one that holds something, and tells which', async () => {
    const { disk } = test;
    await disk.makeFolder(`${AREA}/empty`);
    await test.publish(`${AREA}/full/file`, seededBytes(1, 1));
    expect(await disk.removeFolder(`${AREA}/empty`)).toBe(true);
    expect(await disk.removeFolder(`${AREA}/none`)).toBe(true);
    expect(await disk.removeFolder(`${AREA}/full`)).toBe(false);
    expect(await test.everything()).toEqual([`${AREA}/full/`, `${AREA}/full/file`]);
  });

  it('reports what a folder in the place of a file makes impossible, with disk, path and cause', async () => {
    const { disk } = test;
    if (!test.hasFolders) {
      // Without folders nothing can stand in a file's place: a name and names below it live side by side.
      await test.publish(`${AREA}/one/file`, Buffer.from('below'));
      await test.publish(`${AREA}/one`, Buffer.from('beside'));
      expect(String(await disk.read(`${AREA}/one`))).toBe('beside');
      return;
    }
    await disk.makeFolder(`${AREA}/one`);
    const path = `${AREA}/one`;
    const failure = { name: 'StoreError', code: 'DISK_IO', details: { disk: disk.name, path } };
    await expect(disk.read(path)).rejects.toMatchObject({ ...failure, cause: { code: 'EISDIR' } });
    await expect(disk.create(path, Buffer.from('x'), { durable: false })).rejects.toMatchObject({
      ...failure,
      cause: { code: 'EEXIST' },
    });
    const staged = await disk.stage(path, Buffer.from('x'), { id: 'id', within: AREA, durable: false });
    await expect(staged.publish()).rejects.toMatchObject({ ...failure, cause: { code: 'EISDIR' } });
    await staged.discard();
    expect(await test.everything()).toEqual([`${AREA}/one/`]);
  });

  it('sets a folder aside that stands in the place of the file, with all that is in it, unless it is told to remove even that', async ({
    skip,
  }) => {
    const { disk } = test;
    skip(!test.hasFolders, 'where there are no folders, none is in the place of a file');
    for (const text of ['first', 'second']) {
      await test.publish(`${AREA}/one/below`, Buffer.from(text));
      await disk.remove(`${AREA}/one`, { within: AREA, durable: true });
    }
    const kept = [
      `${AREA}/.one.2.corrupt/`,
      `${AREA}/.one.2.corrupt/below`,
      `${AREA}/.one.corrupt/`,
      `${AREA}/.one.corrupt/below`,
    ];
    expect(await test.everything()).toEqual(kept);
    await test.publish(`${AREA}/one/below`, Buffer.from('x'));
    await disk.remove(`${AREA}/one`, { within: AREA, durable: true, evenFolder: true });
    expect(await test.everything()).toEqual(kept);
  });

  it('takes only ENOENT for missing: a path that leads through a file is an error', async () => {
    const { disk } = test;
    if (!test.hasFolders) {
      await test.publish(`${AREA}/file`, Buffer.from('x'));
      expect(await disk.read(`${AREA}/file/below`)).toBeUndefined();
      return;
    }
    await test.publish(`${AREA}/file`, Buffer.from('x'));
    const path = `${AREA}/file/below`;
    const failure = {
      name: 'StoreError',
      code: 'DISK_IO',
      details: { disk: disk.name, path, errno: 'ENOTDIR' },
      cause: { code: 'ENOTDIR' },
    };
    await expect(disk.read(path)).rejects.toMatchObject(failure);
    await expect(disk.stat(path)).rejects.toMatchObject(failure);
    await expect(disk.list(path)).rejects.toMatchObject(failure);
    await expect(disk.remove(path, { within: AREA, durable: false })).rejects.toMatchObject(failure);
    await expect(disk.removeFolder(path)).rejects.toMatchObject(failure);
    await expect(disk.makeFolder(path)).rejects.toMatchObject(failure);
    await expect(disk.syncFolder(path)).rejects.toMatchObject(failure);
  });
}
