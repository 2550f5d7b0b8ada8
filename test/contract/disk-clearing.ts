import { expect, it } from 'vitest';
import { AREA, type DiskTest } from './disk-test.ts';

/** The part of the contract about what stands in the way of files and folders. */
export function describeClearing(test: DiskTest): void {
  it('has nothing to set aside where files and folders are what they should be, or nothing is there', async () => {
    await test.publish(`${AREA}/folder/file`, Buffer.from('x'));
    const before = await test.everything();
    for (const path of [
      `${AREA}/folder/file`,
      `${AREA}/folder/`,
      `${AREA}/folder/none`,
      `${AREA}/none/deep/file`,
      `${AREA}/none/`,
    ]) {
      expect(await test.disk.setAside(path), path).toBeUndefined();
    }
    expect(await test.everything()).toEqual(before);
  });

  it('gives a file in the place of a folder another name beside it, and tells which; then there is room for the folder', async ({
    skip,
  }) => {
    skip(!test.hasFolders, "where there are no folders, a file is in nobody's way");
    for (const path of [`${AREA}/place/deep/file`, `${AREA}/place/`]) {
      const kept = [...(await test.everything())];
      await test.publish(`${AREA}/place`, Buffer.from(path));
      const aside = await test.disk.setAside(path);
      expect(aside).toMatch(/^area\/\.place\.(\d+\.)?corrupt$/);
      expect(String(await test.disk.read(aside ?? ''))).toBe(path);
      expect(await test.everything()).toEqual([...kept, aside].sort());
      expect(await test.disk.setAside(path)).toBeUndefined();
    }
    await test.publish(`${AREA}/place/deep/file`, Buffer.from('new'));
    expect(String(await test.disk.read(`${AREA}/place/deep/file`))).toBe('new');
  });

  it('gives a folder in the place of a file another name, with all that is in it', async ({ skip }) => {
    skip(!test.hasFolders, 'where there are no folders, none is in the way');
    await test.publish(`${AREA}/place/inner`, Buffer.from('kept'));
    expect(await test.disk.setAside(`${AREA}/place`)).toBe(`${AREA}/.place.corrupt`);
    expect(String(await test.disk.read(`${AREA}/.place.corrupt/inner`))).toBe('kept');
    await test.publish(`${AREA}/place`, Buffer.from('file'));
    expect(String(await test.disk.read(`${AREA}/place`))).toBe('file');
  });

  it('tells a folder from a file when it looks at one', async () => {
    await test.publish(`${AREA}/folder/file`, Buffer.from('x'));
    expect(await test.disk.stat(`${AREA}/folder/file`)).toMatchObject({ isFile: true });
    if (test.hasFolders) expect(await test.disk.stat(`${AREA}/folder`)).toMatchObject({ isFile: false });
  });

  it('fails to make a folder, to write or to look below where a file stands, if it has folders', async ({ skip }) => {
    const { disk } = test;
    skip(!test.hasFolders, "where there are no folders, a file is in nobody's way");
    await test.publish(`${AREA}/place`, Buffer.from('x'));
    const failure = { code: 'DISK_IO', details: { disk: disk.name, fault: 'blocked' } };
    await expect(disk.makeFolder(`${AREA}/place`)).rejects.toMatchObject(failure);
    await expect(disk.read(`${AREA}/place/file`)).rejects.toMatchObject(failure);
    await expect(disk.stat(`${AREA}/place/file`)).rejects.toMatchObject(failure);
    await expect(disk.list(`${AREA}/place`)).rejects.toMatchObject(failure);
    await expect(test.publish(`${AREA}/place/file`, Buffer.from('y'))).rejects.toMatchObject(failure);
    expect(await test.everything()).toEqual([`${AREA}/place`]);
  });
}
