import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { asNobody } from '../disks/as-nobody.ts';
import { seededBytes } from '../support/bytes.ts';
import { Cli, parseLines } from '../support/cli.ts';

const MIB = 1024 * 1024;

async function keysOf(cli: Cli): Promise<unknown[]> {
  return parseLines((await cli.store('ls', '-r', '--json', 'my-bucket')).stdout).map(({ key }) => key);
}

describe('upload -r', () => {
  function tree(cli: Cli): string {
    mkdirSync(cli.path('in/sub/deep'), { recursive: true });
    mkdirSync(cli.path('in/empty'));
    writeFileSync(cli.path('in/top'), 'top');
    writeFileSync(cli.path('in/.hidden'), 'hidden');
    writeFileSync(cli.path('in/sub/mid'), 'mid');
    writeFileSync(cli.path('in/sub/deep/low'), 'low');
    return cli.path('in');
  }

  test('stores every file under its path below the folder', async () => {
    const cli = new Cli();
    expect(await cli.upload('my-bucket', '-r', tree(cli))).toMatchObject({ code: 0, stderr: '' });
    expect(await keysOf(cli)).toEqual(['.hidden', 'sub/deep/low', 'sub/mid', 'top']);
    expect((await cli.download('my-bucket/sub/deep/low', '-o', '-')).stdout).toBe('low');
  });

  test('puts --prefix before the paths', async () => {
    const cli = new Cli();
    await cli.upload('my-bucket', '-r', tree(cli), '--prefix', 'p/');
    expect(await keysOf(cli)).toEqual(['p/.hidden', 'p/sub/deep/low', 'p/sub/mid', 'p/top']);
  });

  test('takes files beside folders', async () => {
    const cli = new Cli();
    writeFileSync(cli.path('single'), '1');
    await cli.upload('my-bucket', '-r', tree(cli), cli.path('single'));
    expect(await keysOf(cli)).toContain('single');
  });

  test('follows links to files and folders, and enters no folder again that it is in', async () => {
    const cli = new Cli();
    const folder = tree(cli);
    writeFileSync(cli.path('elsewhere'), 'linked');
    symlinkSync(cli.path('elsewhere'), cli.path('in/link'));
    symlinkSync(cli.path('in/sub/deep'), cli.path('in/other'));
    symlinkSync('..', cli.path('in/sub/loop'));
    expect(await cli.upload('my-bucket', '-r', folder)).toMatchObject({ code: 0, stderr: '' });
    expect(await keysOf(cli)).toEqual(['.hidden', 'link', 'other/low', 'sub/deep/low', 'sub/mid', 'top']);
    expect((await cli.download('my-bucket/link', '-o', '-')).stdout).toBe('linked');
  });

  test('names a link that leads nowhere and a FIFO, stores the rest, and ends with 1', async () => {
    const cli = new Cli();
    const folder = tree(cli);
    symlinkSync('nowhere', cli.path('in/dangling'));
    execFileSync('mkfifo', [cli.path('in/fifo')]);
    const { code, stderr } = await cli.upload('my-bucket', '-r', folder);
    expect(code).toBe(1);
    expect(stderr).toContain(`cannot read "${cli.path('in/dangling')}": there is no such file`);
    expect(stderr).toMatch(/cannot read ".*in\/fifo": it is not a regular file/);
    expect(await keysOf(cli)).toEqual(['.hidden', 'sub/deep/low', 'sub/mid', 'top']);
  });

  test('leaves the store itself out, where it lies in the folder', async () => {
    const cli = new Cli();
    writeFileSync(cli.path('f'), 'x');
    await cli.upload('my-bucket', cli.path('f'));
    expect(await cli.upload('my-bucket', '-r', cli.folder)).toMatchObject({ code: 0 });
    expect(await keysOf(cli)).toEqual(['f']);
  });

  test('leaves the store itself out, also where a link in the folder leads to it', async () => {
    const cli = new Cli();
    const folder = tree(cli);
    await cli.store('init');
    symlinkSync(cli.root, cli.path('in/store-link'));
    await cli.upload('my-bucket', '-r', folder);
    expect(await keysOf(cli)).toEqual(['.hidden', 'sub/deep/low', 'sub/mid', 'top']);
  });

  test('names a file whose name is no UTF-8, and stores the rest', async () => {
    const cli = new Cli();
    const folder = tree(cli);
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/bad-`), Buffer.from([0xff])]), 'x');
    const { code, stderr } = await cli.upload('my-bucket', '-r', folder);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: the name of ".*bad-\ufffd" is not valid UTF-8.*\n$/);
    expect(await keysOf(cli)).toHaveLength(4);
  });
});

describe('upload of standard input', () => {
  test('stores what comes, whatever the pieces', async () => {
    const bytes = seededBytes(2 * MIB + 17, 'stdin');
    const pieces = [bytes.subarray(0, 1), bytes.subarray(1, MIB + 5), bytes.subarray(MIB + 5)];
    const cli = new Cli({ stdin: Readable.from(pieces, { objectMode: false }) });
    const { code, stdout } = await cli.upload('my-bucket', '-', '--key', 'in.bin');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^my-bucket\/in\.bin {2}3 chunks /);
    expect((await cli.download('my-bucket/in.bin', '-o', '-')).bytes.equals(bytes)).toBe(true);
  });

  test('stores an empty object where nothing comes', async () => {
    const cli = new Cli({ stdin: '' });
    expect(await cli.upload('my-bucket', '-', '--key', 'empty')).toMatchObject({ code: 0 });
    expect((await cli.download('my-bucket/empty', '-o', '-')).bytes).toHaveLength(0);
  });

  test('that breaks off fails, and nothing of it stays', async () => {
    async function* broken(): AsyncGenerator<Buffer> {
      yield await Promise.resolve(seededBytes(2 * MIB, 1));
      throw new Error('the other side hung up');
    }
    const cli = new Cli({ stdin: Readable.from(broken(), { objectMode: false }) });
    const { code, stdout, stderr } = await cli.upload('my-bucket', '-', '--key', 'k');
    expect({ code, stdout, stderr }).toEqual({
      code: 2,
      stdout: '',
      stderr: 'error: the stream failed: the other side hung up\n',
    });
    expect(parseLines((await cli.store('gc', '--json')).stdout)).toMatchObject([{ leftoverChunks: 0, stagedFiles: 0 }]);
  });

  test.each([
    ['without --key', ['-']],
    ['beside a file', ['-', 'file', '--key', 'k']],
  ])('%s is refused', async (_, args) => {
    const { code, stdout, stderr } = await new Cli({ stdin: 'x' }).upload('my-bucket', ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^error: .*\nusage: upload .*\n$/);
  });
});

describe('upload refuses with exit code 2', () => {
  async function refusal(cli: Cli, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await cli.upload('my-bucket', ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    return stderr;
  }

  test('a file that is not there', async () => {
    const cli = new Cli();
    expect(await refusal(cli, cli.path('none'))).toBe(
      `error: cannot read "${cli.path('none')}": there is no such file\n`,
    );
  });

  test('a folder without -r', async () => {
    const cli = new Cli();
    expect(await refusal(cli, cli.folder)).toBe(`error: "${cli.folder}" is a folder; -r uploads what is in it\n`);
  });

  test('a FIFO, without waiting for its writer', async () => {
    const cli = new Cli();
    execFileSync('mkfifo', [cli.path('fifo')]);
    expect(await refusal(cli, cli.path('fifo'))).toBe(
      `error: cannot read "${cli.path('fifo')}": it is not a regular file\n`,
    );
  });

  test('a device', async () => {
    expect(await refusal(new Cli(), '/dev/zero')).toBe('error: cannot read "/dev/zero": it is not a regular file\n');
  });

  test('a socket', async () => {
    const cli = new Cli();
    const server = createServer().listen(cli.path('socket'));
    try {
      expect(await refusal(cli, cli.path('socket'))).toContain('it is not a regular file');
    } finally {
      server.close();
    }
  });

  test('a file that it may not read', async () => {
    const cli = new Cli();
    writeFileSync(cli.path('secret'), 'x');
    chmodSync(cli.path('secret'), 0);
    if (process.geteuid?.() === 0) chownSync(cli.folder, 65534, 65534);
    const stderr = await asNobody(() => refusal(cli, cli.path('secret')));
    expect(stderr).toBe(`error: cannot read "${cli.path('secret')}": permission denied\n`);
  });

  test('a key of more than 1,024 bytes', async () => {
    const cli = new Cli();
    writeFileSync(cli.path('f'), 'x');
    expect(await refusal(cli, cli.path('f'), '--key', 'k'.repeat(1025))).toMatch(
      /^error: bad key "k+…": it has 1025 bytes, at most 1024 are allowed\n$/,
    );
    expect(await cli.upload('my-bucket', cli.path('f'), '--key', 'k'.repeat(1024))).toMatchObject({ code: 0 });
  });

  test('an empty key', async () => {
    const cli = new Cli();
    writeFileSync(cli.path('f'), 'x');
    expect(await refusal(cli, cli.path('f'), '--key', '')).toMatch(/^error: bad key "": a key has at least one byte\n/);
  });
});
