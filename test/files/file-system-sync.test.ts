import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { syncFileSystem } from '../../src/files/file-system-sync.ts';
import { tempFolder } from '../support/temp.ts';

it('syncs the file system of a folder, and says what kept it from that', async () => {
  const folder = tempFolder();
  await syncFileSystem(folder);
  await expect(syncFileSystem(join(folder, 'none'))).rejects.toThrow(/none.*No such file or directory/);
});

it('says that the tool is missing where it is', async () => {
  const path = process.env['PATH'];
  onTestFinished(() => {
    process.env['PATH'] = path;
  });
  const empty = join(tempFolder(), 'empty');
  mkdirSync(empty);
  process.env['PATH'] = empty;
  await expect(syncFileSystem(empty)).rejects.toMatchObject({
    code: 'OUT_OF_RESOURCES',
    message: expect.stringContaining('"sync" (coreutils) cannot be found') as string,
  });
});
