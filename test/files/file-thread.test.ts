import { EventEmitter } from 'node:events';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import * as threads from 'node:worker_threads';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { FileThread, together, type Job, type Reply } from '../../src/files/file-thread.ts';
import { seededBytes } from '../support/bytes.ts';
import { compiledLibrary, runProgram } from '../support/processes.ts';
import { tempFolder } from '../support/temp.ts';

vi.mock('node:worker_threads', { spy: true });

const NO_BYTES = { from: 0, to: 0, isNew: true, sync: false };
const write = (path: string): Job => [{ do: 'write', path, ...NO_BYTES }];

/** What a thread answers that has done so many jobs. */
function reply(id: number, count: number): Reply {
  return { id, bytes: new ArrayBuffer(0), places: new Int32Array(2 * count).fill(-1), looked: [], failed: [] };
}

/** A thread that does nothing by itself. */
class DeafWorker extends EventEmitter {
  ref = vi.fn();
  unref = vi.fn();
  terminate = vi.fn(() => Promise.resolve(0));
  postMessage = vi.fn();
}

function useWorker(make: () => DeafWorker): void {
  vi.mocked(threads.Worker).mockImplementation(function () {
    return make() as unknown as threads.Worker;
  });
}

afterEach(() => {
  vi.mocked(threads.Worker).mockReset();
  vi.useRealTimers();
});

describe('work in a thread', () => {
  it('is done in order, each job up to its first step that fails, and told of in order', async () => {
    const root = tempFolder();
    const { outcomes } = await new FileThread().run(root, [
      write('one'),
      [...write('two'), ...write('one'), ...write('three')],
      [{ do: 'rename', path: 'two', to: 'four' }],
      [{ do: 'unlink', path: 'one' }],
      [{ do: 'stat', path: 'one' }],
      [{ do: 'stat', path: 'four' }],
      [{ do: 'make-folder', path: 'folder' }, ...write('folder/five')],
      [{ do: 'read', path: 'folder/none' }],
      [{ do: 'remove-folder', path: 'folder' }],
      [{ do: 'sync-folder', path: 'folder' }],
    ]);
    expect(outcomes.map(({ errno }) => errno)).toEqual([
      undefined,
      'EEXIST',
      undefined,
      undefined,
      'ENOENT',
      undefined,
      undefined,
      undefined,
      'ENOTEMPTY',
      undefined,
    ]);
    expect(outcomes[5]?.stat).toMatchObject({ size: 0, isFile: true, ino: fs.statSync(join(root, 'four')).ino });
    expect(fs.readdirSync(root).sort()).toEqual(['folder', 'four']);
  });

  it('gives back what was written, of any size that it reads, however many ask at once', async () => {
    const [root, thread] = [tempFolder(), new FileThread()];
    await Promise.all(
      [1, 2, 3, 4].map(async (caller) => {
        const parts = [1, 70_000, 3, 200_000, 262_143].map((size) => seededBytes(size, `${caller} ${size}`));
        const { bytes, ends } = together(parts);
        const path = (index: number): string => `${caller}-${index}`;
        const writes = ends.map((range, index): Job => [
          { do: 'write', path: path(index), ...range, isNew: true, sync: index % 2 === 0 },
        ]);
        expect((await thread.run(root, writes, { bytes })).outcomes.map(({ errno }) => errno)).toEqual(
          parts.map(() => undefined),
        );
        const reads = parts.map((_, index): Job => [{ do: 'read', path: path(index) }]);
        const done = await thread.run(root, reads);
        const read = done.outcomes.map(({ from = 0, to = 0 }) => Buffer.from(done.bytes, from, to - from));
        expect(read.map((found, index) => parts[index]?.equals(found))).toEqual(parts.map(() => true));
      }),
    );
  });

  it('takes no part of a path for a step of its own', async () => {
    const root = tempFolder();
    fs.writeFileSync(join(root, 'file'), 'x');
    const { outcomes } = await new FileThread().run(root, [
      write('one\0\0unlink\0file\0'),
      [{ do: 'rename', path: 'file', to: 'two\0\0unlink\0two' }],
      write('three'),
    ]);
    expect(outcomes.map(({ errno }) => errno)).toEqual(['EINVAL', 'EINVAL', undefined]);
    expect(fs.readdirSync(root).sort()).toEqual(['file', 'three']);
  });

  it('leaves what is empty, or too large for it, to others', async () => {
    const root = tempFolder();
    fs.writeFileSync(join(root, 'empty'), '');
    fs.writeFileSync(join(root, 'large'), Buffer.alloc(256 * 1024));
    const { outcomes } = await new FileThread().run(root, [
      [{ do: 'read', path: 'empty' }],
      [{ do: 'read', path: 'large' }],
    ]);
    expect(outcomes).toMatchObject([{ errno: 'EFBIG' }, { errno: 'EFBIG' }]);
  });

  it('keeps no part of a file that it can not write whole', async () => {
    const root = tempFolder();
    const bytes = new ArrayBuffer(10);
    // Of bytes that were never handed over nothing can be written.
    const { outcomes } = await new FileThread().run(
      root,
      [[{ do: 'write', path: 'file', from: 0, to: 20, isNew: true, sync: false }]],
      { bytes },
    );
    expect(outcomes[0]?.errno).toBeDefined();
    expect(fs.readdirSync(root)).toEqual([]);
  });

  it('does not leave the file system that it is told', async () => {
    const root = tempFolder();
    const { outcomes } = await new FileThread().run(root, [write('file'), [{ do: 'make-folder', path: 'folder' }]], {
      device: fs.statSync(root).dev + 1,
    });
    expect(outcomes).toMatchObject([{ errno: 'EXDEV' }, { errno: 'EXDEV' }]);
    expect(fs.readdirSync(root)).toEqual([]);
  });

  it('finds nothing missing where the outermost folder is', async () => {
    const root = tempFolder();
    const paths = ['none/file', 'none/inner/file', 'none'];
    const jobs = paths.flatMap((path): Job[] => [
      [{ do: 'read', path }],
      [{ do: 'stat', path }],
      [{ do: 'unlink', path }],
    ]);
    const { outcomes } = await new FileThread().run(root, jobs);
    expect(outcomes.map(({ errno }) => errno)).toEqual(jobs.map(() => 'ENOENT'));
  });
});

describe('a thread', () => {
  it('that can not be started does nothing, and says so of each job; the next request tries again', async () => {
    const [root, thread] = [tempFolder(), new FileThread()];
    vi.mocked(threads.Worker).mockImplementationOnce(function () {
      throw Object.assign(new Error('no more threads'), { code: 'ERR_WORKER_INIT_FAILED' });
    });
    const jobs = [write('one'), write('two')];
    expect((await thread.run(root, jobs)).outcomes).toMatchObject([{ errno: 'ECANCELED' }, { errno: 'ECANCELED' }]);
    expect((await thread.run(root, jobs)).outcomes.map(({ errno }) => errno)).toEqual([undefined, undefined]);
  });

  it.each(['error', 'exit'])('that ends (%s) leaves nobody waiting, and another takes its place', async (event) => {
    const workers: DeafWorker[] = [];
    useWorker(() => {
      const worker = new DeafWorker();
      workers.push(worker);
      return worker;
    });
    const thread = new FileThread();
    const running = [thread.run('/', [write('one')]), thread.run('/', [write('two'), write('three')])];
    expect(workers).toHaveLength(1);
    workers[0]?.emit(event, new Error('it has ended'));
    const done = await Promise.all(running);
    expect(done.map(({ outcomes }) => outcomes.map(({ errno }) => errno))).toEqual([
      ['ECANCELED'],
      ['ECANCELED', 'ECANCELED'],
    ]);
    const next = thread.run('/', [write('four')]);
    expect(workers).toHaveLength(2);
    // What the first still says concerns nobody.
    workers[0]?.emit('exit', 1);
    workers[1]?.emit('message', reply(3, 1));
    expect((await next).outcomes).toEqual([{}]);
  });

  it('that can not be given one request goes on with the others', async () => {
    const worker = new DeafWorker();
    useWorker(() => worker);
    const thread = new FileThread();
    const first = thread.run('/', [write('one')]);
    worker.postMessage.mockImplementationOnce(() => {
      throw new RangeError('no memory');
    });
    expect((await thread.run('/', [write('two')])).outcomes).toMatchObject([{ errno: 'ECANCELED' }]);
    expect(worker.unref).not.toHaveBeenCalled();
    worker.emit('message', reply(1, 1));
    expect((await first).outcomes).toEqual([{}]);
  });

  it('keeps the process alive while it has something to do, and ends when it has had nothing for a while', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const worker = new DeafWorker();
    useWorker(() => worker);
    const thread = new FileThread();
    const answer = (id: number): void => void worker.emit('message', reply(id, 0));
    const first = thread.run('/', []);
    const second = thread.run('/', []);
    answer(1);
    await first;
    expect(worker.unref).not.toHaveBeenCalled();
    answer(2);
    await second;
    expect(worker.unref).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1999);
    const third = thread.run('/', []);
    expect(worker.ref).toHaveBeenCalledTimes(3);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(worker.terminate).not.toHaveBeenCalled();
    answer(3);
    await third;
    await vi.advanceTimersByTimeAsync(2000);
    expect(worker.terminate).toHaveBeenCalledTimes(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('runs from a build too, and lets the process end once its work is done, or when that wants to', async () => {
    const module = join(dirname(compiledLibrary()), 'files/file-thread.js');
    const script = `
      const [module, root, leaves] = process.argv.slice(1);
      const { FileThread } = await import(module);
      const step = { do: 'write', path: 'file' + leaves, from: 0, to: 0, isNew: true, sync: true };
      const { outcomes } = await new FileThread().run(root, [[step]]);
      console.log(JSON.stringify(outcomes));
      if (leaves === '1') process.exit(7);
    `;
    const root = tempFolder();
    const run = (leaves: string) =>
      runProgram(process.execPath, ['--input-type=module', '--eval', script, module, root, leaves]);
    expect(await run('0')).toEqual({ code: 0, signal: null, stdout: '[{}]\n', stderr: '' });
    expect(await run('1')).toEqual({ code: 7, signal: null, stdout: '[{}]\n', stderr: '' });
    expect(fs.readdirSync(root).sort()).toEqual(['file0', 'file1']);
  });
});
