import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { KernelLocks } from '../../src/locks/kernel-locks.ts';
import type { LockMode } from '../../src/locks/locks.ts';
import { describeLocks, type Holder } from '../contract/locks-contract.ts';
import { asNobody } from '../disks/as-nobody.ts';
import { tempFolder } from '../support/temp.ts';

const CHILD = fileURLToPath(new URL('hold-lock.ts', import.meta.url));

function hold(file: string, name: string, mode: LockMode): Holder {
  const child = spawn(process.execPath, ['--import', 'tsx', CHILD, file, name, mode], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  const held = Promise.race([
    once(child.stdout, 'data').then(([line]) => {
      expect(String(line)).toBe('held\n');
    }),
    exited.then(() => {
      throw new Error('the process ended before it had the lock');
    }),
  ]);
  return {
    held,
    release: async () => {
      child.stdin.end();
      expect(await exited).toEqual([0, null]);
    },
    kill: async () => {
      child.kill('SIGKILL');
      expect(await exited).toEqual([null, 'SIGKILL']);
    },
  };
}

describeLocks('KernelLocks', () => {
  const file = join(tempFolder(), '.lock');
  return { locks: new KernelLocks(file), hold: (name, mode) => hold(file, name, mode) };
});

describe('KernelLocks and their file', () => {
  it('make it when it is needed, keep it empty, and leave it there', async () => {
    const file = join(tempFolder(), '.lock');
    const locks = new KernelLocks(file);
    expect(existsSync(file)).toBe(false);
    const session = await locks.open('write');
    await session.lock('name', 'exclusive');
    await session.close();
    expect(statSync(file).size).toBe(0);
  });

  it.each([
    [
      'removed',
      (file: string) => {
        rmSync(file);
      },
    ],
    [
      'replaced',
      (file: string) => {
        renameSync(file, `${file}.old`);
        writeFileSync(file, '');
      },
    ],
    [
      'gone with its folder',
      (file: string) => {
        rmSync(join(file, '..'), { recursive: true });
      },
    ],
  ])('are not current any more once it has been %s', async (_, harm) => {
    const folder = join(tempFolder(), 'store');
    mkdirSync(folder);
    const file = join(folder, '.lock');
    const [reader, writer] = [await new KernelLocks(file).open('read'), await new KernelLocks(file).open('write')];
    expect([await reader.isCurrent(), await writer.isCurrent()]).toEqual([true, true]);
    harm(file);
    expect([await reader.isCurrent(), await writer.isCurrent()]).toEqual([false, false]);
    await reader.close();
    await writer.close();
  });

  it('make it for a reader too, so that a reader that is first is seen by all who come after', async () => {
    const locks = new KernelLocks(join(tempFolder(), '.lock'));
    const [reader, writer] = [await locks.open('read'), await locks.open('write')];
    expect(reader.effective).toBe(true);
    expect(reader.tryLock('name', 'shared')).toBe(true);
    expect(writer.tryLock('name', 'exclusive')).toBe(false);
    await reader.close();
    await writer.close();
  });

  it('hold for a reader that may read the file and not write it', async () => {
    const folder = tempFolder();
    const file = join(folder, '.lock');
    const writer = await new KernelLocks(file).open('write');
    chmodSync(file, 0o444);
    chmodSync(folder, 0o555);
    const reader = await asNobody(() => new KernelLocks(file).open('read'));
    expect(reader.effective).toBe(true);
    expect(reader.tryLock('name', 'shared')).toBe(true);
    expect(writer.tryLock('name', 'exclusive')).toBe(false);
    await reader.close();
    await writer.close();
  });

  it('let a reader go without locks, and say so, where there is no file and none can be made', async () => {
    const folder = tempFolder();
    chmodSync(folder, 0o555);
    const session = await asNobody(() => new KernelLocks(join(folder, '.lock')).open('read'));
    expect(session.effective).toBe(false);
    expect(session.tryLock('name', 'shared')).toBe(true);
    await session.lock('name', 'shared');
    session.unlock('name');
    expect(await session.isCurrent()).toBe(true);
    await session.close();
  });

  it('refuse a writer with STORE_NOT_WRITABLE where the file cannot be made, with path and cause', async () => {
    const folder = tempFolder();
    chmodSync(folder, 0o555);
    const file = join(folder, '.lock');
    await expect(asNobody(() => new KernelLocks(file).open('write'))).rejects.toMatchObject({
      name: 'StoreError',
      code: 'STORE_NOT_WRITABLE',
      details: { path: file, errno: 'EACCES' },
      cause: { code: 'EACCES' },
    });
  });
});
