import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SharedSync } from '../../src/files/shared-sync.ts';
import { tempFolder } from '../support/temp.ts';

/** Open descriptors of this process that lead to a path. */
function descriptorsOf(path: string): number {
  const links = fs.readdirSync('/proc/self/fd').map((fd) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
  return links.filter((link) => link === path).length;
}

/** A folder on a file system whose syncfs(2) is relied on, or the reason why there is none. */
const MEMORY = '/dev/shm';
const TMPFS = 0x01021994;
const isThere = fs.existsSync(MEMORY) && fs.statfsSync(MEMORY).type === TMPFS;
const problem = isThere ? undefined : 'there is no tmpfs at /dev/shm';

function trustedFolder(): string {
  return fs.realpathSync(tempFolder(MEMORY));
}

describe.skipIf(problem !== undefined)(
  `one sync for a file system${problem === undefined ? '' : ` (${problem})`}`,
  () => {
    it('syncs, knows its file system, and leaves nothing open', async () => {
      const folder = trustedFolder();
      const sync = await SharedSync.open(folder);
      expect(sync?.device).toBe(fs.statSync(folder).dev);
      expect(descriptorsOf(folder)).toBe(1);
      fs.writeFileSync(join(folder, 'file'), 'x');
      await sync?.sync();
      await sync?.close();
      expect(descriptorsOf(folder)).toBe(0);
    });

    it('fails with the system’s error', async () => {
      const sync = await SharedSync.open(trustedFolder());
      await sync?.close();
      // Its descriptor leads nowhere any more.
      await expect(sync?.sync()).rejects.toMatchObject({ code: 'EBADF' });
    });

    it('asks the system for the file system of its folder, and fails as it does', async () => {
      const folder = trustedFolder();
      const asked: string[] = [];
      const sync = await SharedSync.open(folder, () =>
        Promise.resolve((fd) => {
          asked.push(fs.readlinkSync(`/proc/self/fd/${fd}`));
          return asked.length === 1
            ? Promise.resolve()
            : Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' }));
        }),
      );
      await sync?.sync();
      await expect(sync?.sync()).rejects.toMatchObject({ code: 'EIO' });
      expect(asked).toEqual([folder, folder]);
      await sync?.close();
    });

    it('is none where the system has no call that can be relied on', async () => {
      const folder = trustedFolder();
      expect(await SharedSync.open(folder, () => Promise.resolve(undefined))).toBeUndefined();
      expect(descriptorsOf(folder)).toBe(0);
    });
  },
);

it('is none on a file system that is not known to keep its word', async () => {
  expect(await SharedSync.open('/proc/self')).toBeUndefined();
});

it('fails to open where there is no such folder', async () => {
  await expect(SharedSync.open(join(tempFolder(), 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
});
