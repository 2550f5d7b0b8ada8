import { mkdirSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { seededBytes } from '../support/bytes.ts';
import { Cli, parseLines } from '../support/cli.ts';
import { filesIn } from '../support/store.ts';

const MIB = 1024 * 1024;

/** The keys of a bucket, as the command lists them. */
async function keysOf(cli: Cli, bucket = 'my-bucket'): Promise<unknown[]> {
  const { stdout } = await cli.store('ls', '-r', '--json', bucket);
  return parseLines(stdout).map(({ key }) => key);
}

function write(cli: Cli, name: string, content: string | Uint8Array): string {
  const file = cli.path(name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, content);
  return file;
}

describe('the key', () => {
  test('is the base name of the file', async () => {
    const cli = new Cli();
    const { code } = await cli.upload('my-bucket', write(cli, 'deep/down/photo.jpg', 'x'));
    expect(code).toBe(0);
    expect(await keysOf(cli)).toEqual(['photo.jpg']);
  });

  test('is what --key says, slashes and all', async () => {
    const cli = new Cli();
    expect(await cli.upload('my-bucket', write(cli, 'f', 'x'), '--key', 'a/../b//c')).toMatchObject({ code: 0 });
    expect(await keysOf(cli)).toEqual(['a/../b//c']);
  });

  test('begins with --prefix, also before --key', async () => {
    const cli = new Cli();
    const file = write(cli, 'f', 'x');
    await cli.upload('my-bucket', file, '--prefix', '2026/');
    await cli.upload('my-bucket', file, '--prefix', '2026/', '--key', 'g');
    expect(await keysOf(cli)).toEqual(['2026/f', '2026/g']);
  });

  test('of a file whose name begins with a dash is that name, after --', async () => {
    const cli = new Cli();
    write(cli, '-x', 'dash');
    expect(await cli.upload('my-bucket', '--', cli.path('-x'))).toMatchObject({ code: 0 });
    expect(await keysOf(cli)).toEqual(['-x']);
  });

  test('that was stored before is replaced in one step, and nothing of the old version stays', async () => {
    const cli = new Cli();
    await cli.upload('my-bucket', write(cli, 'f', seededBytes(3 * MIB, 'old')));
    expect(await cli.upload('my-bucket', write(cli, 'f', 'new'))).toMatchObject({ code: 0 });
    expect((await cli.download('my-bucket/f', '-o', '-')).stdout).toBe('new');
    const chunks = ['disk1', 'disk2', 'disk3'].flatMap((disk) => filesIn(path.join(cli.root, disk, 'chunks')));
    expect(chunks).toHaveLength(1);
    expect(parseLines((await cli.store('gc', '--json')).stdout)).toMatchObject([{ leftoverChunks: 0, stagedFiles: 0 }]);
  });
});

describe('the result', () => {
  test('is a line with the object, its chunks per disk, its size, the time and the rate', async () => {
    const cli = new Cli();
    const { stdout, stderr } = await cli.upload('my-bucket', write(cli, 'f.bin', seededBytes(3 * MIB + 1, 1)));
    expect(stdout).toMatch(
      /^my-bucket\/f\.bin {2}4 chunks \(disk1: [12], disk2: [12], disk3: [12]\) {2}3\.0 MiB {2}[\d.]+ (ms|s) {2}[\d.]+ [KMG]iB\/s\n$/,
    );
    expect(stderr).toBe('');
  });

  test('of an empty file says that it has no chunk', async () => {
    const cli = new Cli();
    const { code, stdout } = await cli.upload('my-bucket', write(cli, 'empty', ''));
    expect(code).toBe(0);
    expect(stdout).toMatch(/^my-bucket\/empty {2}0 chunks {2}0 B {2}/);
  });

  test('is one JSON object a file with --json, and no summary', async () => {
    const cli = new Cli();
    const { stdout } = await cli.upload(
      'my-bucket',
      write(cli, 'a.txt', 'aa'),
      write(cli, 'b.txt', seededBytes(MIB + 1, 2)),
      '--json',
    );
    const lines = parseLines(stdout).sort((a, b) => (String(a['key']) < String(b['key']) ? -1 : 1));
    expect(lines).toMatchObject([
      { bucket: 'my-bucket', key: 'a.txt', size: 2, contentType: 'text/plain', offline: [], failed: [] },
      { bucket: 'my-bucket', key: 'b.txt', size: MIB + 1, contentType: 'text/plain' },
    ]);
    for (const line of lines) {
      expect(line['version']).toMatch(/^[0-9a-f-]{36}$/);
      expect(line['seconds']).toBeTypeOf('number');
      expect(line['bytesPerSecond']).toBeTypeOf('number');
    }
    expect(Object.values(lines[1]?.['chunks'] ?? {})).toEqual([1, 1]);
  });

  test('of several files ends with a summary', async () => {
    const cli = new Cli();
    const { stdout } = await cli.upload('my-bucket', write(cli, 'a', 'aa'), write(cli, 'b', 'bbb'));
    expect(stdout.split('\n')).toHaveLength(4);
    expect(stdout).toMatch(/\n2 files {2}5 B {2}\S+ \S+ {2}\S+ \S+\/s\n$/);
  });

  test('is nothing with --quiet', async () => {
    const cli = new Cli();
    const result = await cli.upload('my-bucket', write(cli, 'a', 'aa'), write(cli, 'b', 'bbb'), '--quiet');
    expect(result).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(await keysOf(cli)).toEqual(['a', 'b']);
  });

  test('shows control characters of a key in a form that can do nothing to a terminal', async () => {
    const cli = new Cli();
    const { stdout } = await cli.upload('my-bucket', write(cli, 'f', 'x'), '--key', 'a\u001b[31m\n\u009bb');
    expect(stdout.slice(0, -1)).not.toMatch(/\p{Cc}/u);
    expect(stdout).toContain('my-bucket/a\\u001b[31m\\n');
  });
});

describe('the content type', () => {
  const typeOf = async (cli: Cli, key: string): Promise<unknown> =>
    parseLines((await cli.store('stat', `my-bucket/${key}`, '--json')).stdout)[0]?.['contentType'];

  test.each([
    ['photo.jpg', 'image/jpeg'],
    ['page.html', 'text/html'],
    ['no-extension', 'application/octet-stream'],
  ])('of %s is guessed as %s', async (name, type) => {
    const cli = new Cli();
    await cli.upload('my-bucket', write(cli, name, 'x'));
    expect(await typeOf(cli, name)).toBe(type);
  });

  test('is guessed from the key, not from the file', async () => {
    const cli = new Cli();
    await cli.upload('my-bucket', write(cli, 'f.jpg', 'x'), '--key', 'f.json');
    expect(await typeOf(cli, 'f.json')).toBe('application/json');
  });

  test('is what --content-type says', async () => {
    const cli = new Cli();
    await cli.upload('my-bucket', write(cli, 'f.jpg', 'x'), '--content-type', 'text/x-own');
    expect(await typeOf(cli, 'f.jpg')).toBe('text/x-own');
  });
});

describe('of several files', () => {
  test('one that fails is named, the others are stored, and the exit code is 1', async () => {
    const cli = new Cli();
    const { code, stdout, stderr } = await cli.upload(
      'my-bucket',
      write(cli, 'a', 'a'),
      cli.path('missing'),
      write(cli, 'b', 'b'),
    );
    expect(code).toBe(1);
    expect(await keysOf(cli)).toEqual(['a', 'b']);
    expect(stderr).toBe(`error: cannot read "${cli.path('missing')}": there is no such file\n`);
    expect(stdout).toMatch(/\n2 files .* {2}1 failed\n$/);
  });

  test('all that fail are named', async () => {
    const cli = new Cli();
    const { code, stderr } = await cli.upload('my-bucket', cli.path('m1'), cli.path('m2'));
    expect(code).toBe(1);
    expect(stderr).toContain('m1');
    expect(stderr).toContain('m2');
  });

  test('two with one key are refused before anything is stored', async () => {
    const cli = new Cli();
    const [one, two] = [write(cli, 'x/f', '1'), write(cli, 'y/f', '2')];
    const { code, stdout, stderr } = await cli.upload('my-bucket', one, two);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^error: ".*x\/f" and ".*y\/f" would have one key, "f"\nusage: upload .*\n$/);
    expect(await cli.store('ls', 'my-bucket')).toMatchObject({ code: 3 });
  });
});
