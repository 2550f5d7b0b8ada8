import { execFileSync } from 'node:child_process';
import {
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { targetBelow } from '../../src/cli/input/target.ts';
import { seededBytes } from '../support/bytes.ts';
import { Cli } from '../support/cli.ts';
import { runDoor, runProgram, start, startDoor, until, type Ended } from '../support/processes.ts';
import { compiledDoor } from '../support/build.ts';

const MIB = 1024 * 1024;

/** What a process has open at this moment. */
function openFiles(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((fd) => {
    try {
      return [readlinkSync(`${folder}/${fd}`)];
    } catch {
      return [];
    }
  });
}

/** Stores an object and downloads it to its default place, below a `work` folder. */
async function toDefaultPlace(
  key: string,
  prepare: (cli: Cli) => void = () => undefined,
): Promise<{ cli: Cli; result: Ended }> {
  const cli = new Cli({ stdin: 'content' });
  expect(await cli.upload('my-bucket', '-', '--key', key)).toMatchObject({ code: 0 });
  mkdirSync(cli.path('work'));
  prepare(cli);
  return {
    cli,
    result: await runDoor('download', [`my-bucket/${key}`, '--root', cli.root], { cwd: cli.path('work') }),
  };
}

describe('a key that is no plain relative path is refused with exit code 2, and nothing is written', () => {
  test.each([
    ['leads up', '../up', '".." is no file name'],
    ['leads up from below', 'a/../../up', '".." is no file name'],
    ['ends above', 'a/..', '".." is no file name'],
    ['stands still', 'a/./b', '"." is no file name'],
    ['begins at the root', '/tmp/absolute', 'it has an empty part between slashes'],
    ['has an empty part', 'a//b', 'it has an empty part between slashes'],
    ['ends in a slash', 'a/', 'it has an empty part between slashes'],
    ['has a part too long for a file name', `a/${'n'.repeat(256)}`, 'a part is longer than 255 bytes'],
  ])('where it %s', async (_, key, reason) => {
    const { cli, result } = await toDefaultPlace(key);
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toMatch(/^error: key ".*" cannot be a file below "downloaded_files": .*\n {2}.*-o <path>\n$/);
    expect(result.stderr).toContain(reason);
    expect(readdirSync(cli.folder).sort()).toEqual(['store', 'work']);
    expect(readdirSync(cli.path('work'))).toEqual([]);
  });

  test('where it has a NUL, which no command line could name', async () => {
    await expect(targetBelow('folder', 'a\0b')).rejects.toMatchObject({ code: 'BAD_TARGET' });
  });

  test('but -o gives any of them a name', async () => {
    const cli = new Cli({ stdin: 'content' });
    await cli.upload('my-bucket', '-', '--key', '../up/');
    expect(await cli.download('my-bucket/../up/', '-o', cli.path('named'))).toMatchObject({ code: 0 });
    expect(readFileSync(cli.path('named'), 'utf8')).toBe('content');
  });

  test('also where -o is a folder and the key ends in nothing', async () => {
    const cli = new Cli({ stdin: 'content' });
    await cli.upload('my-bucket', '-', '--key', 'a/..');
    expect(await cli.download('my-bucket/a/..', '-o', cli.folder)).toMatchObject({ code: 2, stdout: '' });
    expect(readdirSync(cli.folder)).toEqual(['store']);
  });
});

describe('the folder', () => {
  test('may be the root of the file system', async () => {
    expect(await targetBelow('/', 'no-such-folder/file')).toBe('/no-such-folder/file');
  });

  test('may itself be a link', async () => {
    const { cli, result } = await toDefaultPlace('a/b', (own) => {
      mkdirSync(own.path('elsewhere'));
      symlinkSync(own.path('elsewhere'), own.path('work/downloaded_files'));
    });
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(readFileSync(cli.path('elsewhere/a/b'), 'utf8')).toBe('content');
  });

  test('may hold a link that stays inside', async () => {
    const { cli, result } = await toDefaultPlace('link/b', (own) => {
      mkdirSync(own.path('work/downloaded_files/real'), { recursive: true });
      symlinkSync('real', own.path('work/downloaded_files/link'));
    });
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(readFileSync(cli.path('work/downloaded_files/real/b'), 'utf8')).toBe('content');
  });

  test.each(['link/b', 'link/deep/er/b'])(
    'must not be left through a link: %s is refused with exit code 2',
    async (key) => {
      const { cli, result } = await toDefaultPlace(key, (own) => {
        mkdirSync(own.path('outside'));
        mkdirSync(own.path('work/downloaded_files'));
        symlinkSync(own.path('outside'), own.path('work/downloaded_files/link'));
      });
      expect(result).toMatchObject({ code: 2, stdout: '' });
      expect(result.stderr).toMatch(/would lead out of "downloaded_files" through a link/);
      expect(readdirSync(cli.path('outside'))).toEqual([]);
    },
  );

  test.each(['link/b', 'link/deep/b'])(
    'must not be left through a link whose end is yet to be made: %s fails',
    async (key) => {
      const { cli, result } = await toDefaultPlace(key, (own) => {
        mkdirSync(own.path('outside'));
        mkdirSync(own.path('work/downloaded_files'));
        symlinkSync(own.path('outside/not-yet'), own.path('work/downloaded_files/link'));
      });
      expect(result.code).not.toBe(0);
      expect(result.stderr).toMatch(/^error: .*link/);
      expect(readdirSync(cli.path('outside'))).toEqual([]);
    },
  );

  test('names the key where a link leads to itself', async () => {
    const { result } = await toDefaultPlace('link/b', (own) => {
      mkdirSync(own.path('work/downloaded_files'));
      symlinkSync('link', own.path('work/downloaded_files/link'));
    });
    expect(result.code).toBeOneOf([1, 2]);
    expect(result.stderr).toMatch(/^error: (key "link\/b"|cannot write ".*link\/b")/);
  });

  test('that holds a link under the very name loses the link, not what it leads to', async () => {
    const { cli, result } = await toDefaultPlace('b', (own) => {
      writeFileSync(own.path('outside'), 'precious');
      mkdirSync(own.path('work/downloaded_files'));
      symlinkSync(own.path('outside'), own.path('work/downloaded_files/b'));
    });
    expect(result.code).toBe(0);
    expect(readFileSync(cli.path('outside'), 'utf8')).toBe('precious');
    expect(lstatSync(cli.path('work/downloaded_files/b')).isFile()).toBe(true);
  });

  test.each([
    ['a/b', 'a', 'a file where a folder is needed'],
    ['a/b/c', 'a', 'a file where a folder is needed higher up'],
  ])('refuses %s clearly where %s is %s', async (key, file) => {
    const { cli, result } = await toDefaultPlace(key, (own) => {
      mkdirSync(own.path('work/downloaded_files'));
      writeFileSync(own.path('work/downloaded_files', file), 'what was there');
    });
    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(result.stderr).toMatch(new RegExp(`^error: cannot write ".*downloaded_files/${key}": `));
    expect(readFileSync(cli.path('work/downloaded_files', file), 'utf8')).toBe('what was there');
  });

  test('refuses "a" clearly where it is a folder, and leaves no .part', async () => {
    const { cli, result } = await toDefaultPlace('a', (own) =>
      mkdirSync(own.path('work/downloaded_files/a/b'), { recursive: true }),
    );
    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(result.stderr).toMatch(/^error: cannot write ".*downloaded_files\/a": /);
    // The name of the temporary file means nothing to whoever reads this.
    expect(result.stderr).not.toContain('.part');
    expect(readdirSync(cli.path('work/downloaded_files'))).toEqual(['a']);
  });
});

describe('-o', () => {
  async function withObject(content: Uint8Array | string): Promise<Cli> {
    const cli = new Cli({ stdin: content });
    expect(await cli.upload('my-bucket', '-', '--key', 'k')).toMatchObject({ code: 0 });
    return cli;
  }

  test('through a link replaces the file that it leads to, and keeps the link', async () => {
    const cli = await withObject('content');
    writeFileSync(cli.path('real'), 'old');
    symlinkSync('real', cli.path('link'));
    await cli.download('my-bucket/k', '-o', cli.path('link'));
    expect(readlinkSync(cli.path('link'))).toBe('real');
    expect(readFileSync(cli.path('real'), 'utf8')).toBe('content');
  });

  test('/dev/null stays a device', async () => {
    const cli = await withObject(seededBytes(2 * MIB, 1));
    expect(await cli.download('my-bucket/k', '-o', '/dev/null')).toMatchObject({ code: 0, stderr: '' });
    expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true);
  });

  test('a FIFO gets the bytes and stays a FIFO', async () => {
    const bytes = seededBytes(2 * MIB + 3, 'fifo');
    const cli = await withObject(bytes);
    execFileSync('mkfifo', [cli.path('fifo')]);
    const reader = runProgram('sha256sum', [cli.path('fifo')]);
    expect(await runDoor('download', ['my-bucket/k', '-o', cli.path('fifo'), '--root', cli.root])).toMatchObject({
      code: 0,
      stderr: '',
    });
    const expected = execFileSync('sha256sum', { input: bytes, encoding: 'utf8' }).slice(0, 64);
    expect((await reader).stdout.slice(0, 64)).toBe(expected);
    expect(lstatSync(cli.path('fifo')).isFIFO()).toBe(true);
  });

  test('a FIFO without a reader is waited for until the command is interrupted', async () => {
    const cli = await withObject(Buffer.from('content'));
    execFileSync('mkfifo', [cli.path('fifo')]);
    const download = start(process.execPath, [
      compiledDoor('download'),
      'my-bucket/k',
      '-o',
      cli.path('fifo'),
      '--root',
      cli.root,
    ]);
    await until('the command has opened the object', () =>
      openFiles(download.pid).some((file) => file.endsWith('.lock')),
    );
    download.kill('SIGINT');
    expect(await download.ended).toMatchObject({ code: 130 });
    expect(lstatSync(cli.path('fifo')).isFIFO()).toBe(true);
  });

  test('a socket takes nothing, which is told in one line', async () => {
    const cli = await withObject(Buffer.from('content'));
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(cli.path('sock'), resolve));
    onTestFinished(() => void server.close());
    const { code, stderr } = await cli.download('my-bucket/k', '-o', cli.path('sock'));
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^error: cannot write "[^"]*sock"[^\n]*\n$/) as string,
    });
  });

  test('a FIFO whose reader leaves early ends the command without a stack trace', async () => {
    const cli = await withObject(seededBytes(4 * MIB, 'fifo'));
    execFileSync('mkfifo', [cli.path('fifo')]);
    const reader = runProgram('head', ['-c', '1', cli.path('fifo')]);
    const { code, stderr } = await runDoor('download', ['my-bucket/k', '-o', cli.path('fifo'), '--root', cli.root]);
    expect(code).toBeOneOf([0, 1]);
    expect(stderr).not.toMatch(/\n\s+at /);
    await reader;
  });

  test.each([
    ['a small object', 10],
    ['a large object', 3 * MIB],
  ])('a device that is full fails with a message that names it (%s)', async (_, size) => {
    const cli = await withObject(seededBytes(size, 1));
    const { code, stdout, stderr } = await runDoor('download', ['my-bucket/k', '-o', '/dev/full', '--root', cli.root]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^error: cannot write "\/dev\/full": .*ENOSPC.*\n$/);
  });

  test('- ends quietly when the reader leaves', async () => {
    const cli = await withObject(seededBytes(8 * MIB, 'pipe'));
    const script = '"$1" "$2" my-bucket/k -o - --root "$3" | head -c 1 | wc -c; echo "exit codes ${PIPESTATUS[*]}"';
    const { stdout, stderr } = await runProgram('bash', [
      '-c',
      script,
      'bash',
      process.execPath,
      compiledDoor('download'),
      cli.root,
    ]);
    expect({ lines: stdout.trim().split(/\s*\n\s*/), stderr }).toEqual({
      lines: ['1', 'exit codes 0 0 0'],
      stderr: '',
    });
  });

  test('- into a full device fails with a message and no stack trace', async () => {
    const cli = await withObject('content');
    const full = openSync('/dev/full', 'w');
    try {
      const { code, stderr } = await startDoor('download', ['my-bucket/k', '-o', '-', '--root', cli.root], {
        stdout: full,
      }).ended;
      expect(code).toBe(1);
      expect(stderr).toMatch(/^error: .*ENOSPC/);
      expect(stderr).not.toMatch(/\n\s+at /);
    } finally {
      closeSync(full);
    }
  });
});
