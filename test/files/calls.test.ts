import * as nodeFs from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { alignedBuffers, isAligned } from '../../src/memory/aligned.ts';
import { except, readFully, withFile, writeFully, writeNewFile, WRITE_FLAGS } from '../../src/files/calls.ts';
import { seededBytes } from '../support/bytes.ts';
import { tempFolder } from '../support/temp.ts';

/** `most`: bytes that the system takes or gives in one go. `direct`: whether the file system can do direct I/O. */
const system = vi.hoisted(() => ({ most: Infinity, direct: true, failing: new Set<string>(), calls: [] as string[] }));

type Transfer = (
  fd: number,
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: number,
  done: unknown,
) => void;
type OnFile = (fd: number, done: (error: Error | null) => void) => void;

vi.mock('node:fs', async (original) => {
  const actual = await original<typeof nodeFs>();
  const short =
    (call: Transfer): Transfer =>
    (fd, buffer, offset, length, position, done) => {
      call(fd, buffer, offset, Math.min(length, system.most), position, done);
    };
  const failing =
    (name: string, call: OnFile): OnFile =>
    (fd, done) => {
      system.calls.push(`${name} ${fd}`);
      call(fd, (error) => {
        done(system.failing.has(name) ? Object.assign(new Error('planned'), { code: 'EIO' }) : error);
      });
    };
  const { O_DIRECT } = actual.constants;
  const open = (
    path: string,
    flags: number | string,
    mode: number,
    done: (error: Error | null, fd?: number) => void,
  ): void => {
    if (system.direct || typeof flags === 'string' || (flags & O_DIRECT) === 0) {
      actual.open(path, flags, mode, done);
      return;
    }
    // As Linux does it: the file is made before the flag is looked at, and stays.
    actual.open(path, flags & ~O_DIRECT, mode, (error, fd) => {
      if (error === null) actual.closeSync(fd);
      done(error ?? Object.assign(new Error('EINVAL: invalid argument'), { code: 'EINVAL' }));
    });
  };
  return {
    ...actual,
    open,
    read: short(actual.read as Transfer),
    write: short(actual.write as Transfer),
    fsync: failing('fsync', actual.fsync),
    close: failing('close', actual.close),
  };
});

beforeEach(() => {
  system.most = Infinity;
  system.direct = true;
  system.failing.clear();
  system.calls = [];
});

describe('reading and writing files', () => {
  it.each([1, 3, 7, 100])('goes on where the system gives or takes only %i bytes at a time', async (most) => {
    system.most = most;
    const file = join(tempFolder(), 'file');
    const bytes = Buffer.from('twenty bytes of text');
    await withFile(file, 'w+', async (fd) => {
      await writeFully(fd, bytes, 5);
      const buffer = Buffer.alloc(40);
      expect(await readFully(fd, buffer, 5)).toBe(20);
      expect(buffer.subarray(0, 20)).toEqual(bytes);
      expect(await readFully(fd, buffer.subarray(0, 4), 12)).toBe(4);
      expect(await readFully(fd, buffer, 25)).toBe(0);
    });
  });

  it('writes a whole new file, and refuses to write over one with `exclusive`', async () => {
    const file = join(tempFolder(), 'file');
    await writeNewFile(file, WRITE_FLAGS.exclusive, Buffer.from('first'), true);
    await expect(writeNewFile(file, WRITE_FLAGS.exclusive, Buffer.from('second'), true)).rejects.toMatchObject({
      code: 'EEXIST',
    });
    expect(nodeFs.readFileSync(file, 'utf8')).toBe('first');
    await writeNewFile(file, WRITE_FLAGS.replace, Buffer.from('2nd'), false);
    expect(nodeFs.readFileSync(file, 'utf8')).toBe('2nd');
  });

  it.each(['fsync', 'close'])('removes a new file whose %s failed', async (call) => {
    const file = join(tempFolder(), 'file');
    system.failing.add(call);
    await expect(writeNewFile(file, WRITE_FLAGS.exclusive, Buffer.from('bytes'), true)).rejects.toMatchObject({
      code: 'EIO',
    });
    expect(nodeFs.existsSync(file)).toBe(false);
  });

  it.each(Object.keys(WRITE_FLAGS) as (keyof typeof WRITE_FLAGS)[])(
    'writes aligned blocks with and without direct I/O (%s)',
    async (flags) => {
      const [blocks = Buffer.alloc(0)] = alignedBuffers(1, 64 * 1024);
      blocks.set(seededBytes(blocks.length, 'blocks'));
      expect(isAligned(blocks)).toBe(true);
      for (const direct of [true, false]) {
        system.direct = direct;
        const file = join(tempFolder(), 'file');
        if (flags !== 'exclusive') nodeFs.writeFileSync(file, 'before');
        await writeNewFile(file, WRITE_FLAGS[flags], blocks, true);
        expect(nodeFs.readFileSync(file).equals(blocks)).toBe(true);
        if (flags === 'exclusive')
          await expect(writeNewFile(file, WRITE_FLAGS[flags], blocks, true)).rejects.toMatchObject({ code: 'EEXIST' });
      }
    },
  );

  it('does not sync a file that need not be durable', async () => {
    system.failing.add('fsync');
    await writeNewFile(join(tempFolder(), 'file'), WRITE_FLAGS.exclusive, Buffer.from('bytes'), false);
  });

  it('closes a file after work that failed, and reports the work, not the close', async () => {
    const file = join(tempFolder(), 'file');
    system.failing.add('close');
    let opened = -1;
    const work = (fd: number): Promise<void> => {
      opened = fd;
      return Promise.reject(new Error('the work'));
    };
    await expect(withFile(file, 'w', work)).rejects.toThrow('the work');
    expect(system.calls).toEqual([`close ${opened}`]);
  });

  it('reports a close that failed after work that did not', async () => {
    system.failing.add('close');
    await expect(withFile(join(tempFolder(), 'file'), 'w', () => Promise.resolve())).rejects.toMatchObject({
      code: 'EIO',
    });
  });
});

describe('except', () => {
  const failure = (code: string): Promise<string> => Promise.reject(Object.assign(new Error(code), { code }));

  it('gives the result, or undefined for the codes that are named, and throws all else', async () => {
    expect(await except(Promise.resolve('result'), 'ENOENT')).toBe('result');
    expect(await except(failure('ENOENT'), 'EEXIST', 'ENOENT')).toBeUndefined();
    await expect(except(failure('EIO'), 'ENOENT')).rejects.toMatchObject({ code: 'EIO' });
    await expect(except(Promise.reject(new Error('plain')), 'ENOENT')).rejects.toThrow('plain');
  });
});
