import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { seededBytes } from '../support/bytes.ts';
import { Cli, parseLines } from '../support/cli.ts';
import { runDoor } from '../support/processes.ts';

const MIB = 1024 * 1024;

/** A store with one object, `my-bucket/photo.jpg`. */
async function withObject(content: Uint8Array | string = 'content'): Promise<Cli> {
  const cli = new Cli();
  writeFileSync(cli.path('photo.jpg'), content);
  expect(await cli.upload('my-bucket', cli.path('photo.jpg'))).toMatchObject({ code: 0 });
  return cli;
}

/** Damages the object's last chunk. */
function damageLastChunk(cli: Cli): void {
  const chunks = ['disk1', 'disk2', 'disk3'].flatMap((disk) => {
    const folder = path.join(cli.root, disk, 'chunks');
    return readdirSync(folder, { recursive: true, encoding: 'utf8' }).flatMap((name) =>
      name.endsWith('.chunk') ? [path.join(folder, name)] : [],
    );
  });
  const last = chunks.sort((a, b) => path.basename(a).localeCompare(path.basename(b))).at(-1) ?? '';
  writeFileSync(last, seededBytes(readFileSync(last).length, 'damage'));
}

describe('without -o', () => {
  test('an object lands in downloaded_files/<key>, folders and all, and comes from storage_nodes', async () => {
    const cli = new Cli();
    const bytes = seededBytes(2 * MIB + 5, 'default place');
    writeFileSync(cli.path('in'), bytes);
    const inFolder = { cwd: cli.folder };
    expect(await runDoor('upload', ['my-bucket', 'in', '--key', 'a/b/c.bin'], inFolder)).toMatchObject({
      code: 0,
      stderr: '',
    });
    expect(readdirSync(cli.path('storage_nodes')).sort()).toEqual([
      '.lock',
      '.lock.note',
      'disk1',
      'disk2',
      'disk3',
      'store.json',
    ]);
    const { code, stdout, stderr } = await runDoor('download', ['my-bucket/a/b/c.bin'], inFolder);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      /^my-bucket\/a\/b\/c\.bin → downloaded_files\/a\/b\/c\.bin {2}2\.0 MiB {2}[\d.]+ m?s {2}[\d.]+ [KMG]iB\/s\n$/,
    );
    expect(readFileSync(cli.path('downloaded_files/a/b/c.bin')).equals(bytes)).toBe(true);
  });
});

describe('-o', () => {
  test('names the file, whose folders are made', async () => {
    const cli = await withObject();
    expect(await cli.download('my-bucket/photo.jpg', '-o', cli.path('x/y/p.jpg'))).toMatchObject({
      code: 0,
      stderr: '',
    });
    expect(readFileSync(cli.path('x/y/p.jpg'), 'utf8')).toBe('content');
  });

  test.each([
    ['a folder that is there', '.'],
    ['a folder that is not there yet, told by its slash', 'new/'],
  ])('may be %s; the file is called as the end of the key', async (_, folder) => {
    const cli = new Cli();
    writeFileSync(cli.path('f'), 'content');
    await cli.upload('my-bucket', cli.path('f'), '--key', 'a/b.txt');
    const { code, stdout } = await cli.download('my-bucket/a/b.txt', '-o', `${cli.folder}/${folder}`);
    expect(code).toBe(0);
    expect(stdout).toContain('b.txt  7 B');
    expect(readFileSync(cli.path(folder, 'b.txt'), 'utf8')).toBe('content');
  });

  test('- is standard output, and nothing but the bytes goes there', async () => {
    const bytes = seededBytes(3 * MIB + 7, 'stdout');
    const cli = await withObject(bytes);
    const result = await cli.download('my-bucket/photo.jpg', '-o', '-');
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.bytes.equals(bytes)).toBe(true);
  });

  test('replaces a file that is there', async () => {
    const cli = await withObject();
    writeFileSync(cli.path('there'), 'something longer than before');
    await cli.download('my-bucket/photo.jpg', '-o', cli.path('there'));
    expect(readFileSync(cli.path('there'), 'utf8')).toBe('content');
  });
});

describe('--range', () => {
  const bytes = seededBytes(2 * MIB + 100, 'range');

  test.each([
    ['0-0', 0, 1],
    ['0-99', 0, 100],
    [`${MIB - 1}-${MIB}`, MIB - 1, MIB + 1],
    [`${2 * MIB}-`, 2 * MIB, 2 * MIB + 100],
    ['-100', 2 * MIB, 2 * MIB + 100],
    ['-99999999', 0, 2 * MIB + 100],
    ['5-99999999', 5, 2 * MIB + 100],
  ])('%s gives exactly those bytes, on stdout and in a file', async (range, from, to) => {
    const cli = await withObject(bytes);
    const onStdout = await cli.download('my-bucket/photo.jpg', '--range', range, '-o', '-');
    const inFile = await cli.download('my-bucket/photo.jpg', '--range', range, '-o', cli.path('part'), '--json');
    expect([onStdout.code, inFile.code]).toEqual([0, 0]);
    expect(onStdout.bytes.equals(bytes.subarray(from, to))).toBe(true);
    expect(readFileSync(cli.path('part')).equals(bytes.subarray(from, to))).toBe(true);
    expect(parseLines(inFile.stdout)).toMatchObject([{ size: bytes.length, file: cli.path('part') }]);
  });

  test.each(['', '-', 'x-y', '1', '5-3', '-0', '1--2', '1.5-2', '7-', '99999999999999999999-'])(
    '%j is refused with exit code 2, and writes no file',
    async (range) => {
      const cli = await withObject();
      const { code, stdout, stderr } = await cli.download(
        'my-bucket/photo.jpg',
        `--range=${range}`,
        '-o',
        cli.path('part'),
      );
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(/^error: bad range .*\n.*\n$/);
      expect(readdirSync(cli.folder).sort()).toEqual(['photo.jpg', 'store']);
    },
  );
});

describe('the result', () => {
  test('is a JSON object with --json', async () => {
    const cli = await withObject();
    const { stdout } = await cli.download('my-bucket/photo.jpg', '-o', cli.path('p'), '--json');
    expect(parseLines(stdout)).toMatchObject([
      { bucket: 'my-bucket', key: 'photo.jpg', size: 7, bytes: 7, contentType: 'image/jpeg', file: cli.path('p') },
    ]);
  });

  test('is nothing with --quiet', async () => {
    const cli = await withObject();
    expect(await cli.download('my-bucket/photo.jpg', '-o', cli.path('p'), '--quiet')).toMatchObject({
      code: 0,
      stdout: '',
      stderr: '',
    });
    expect(existsSync(cli.path('p'))).toBe(true);
  });
});

describe('an object that is damaged', () => {
  const bytes = seededBytes(4 * MIB, 'damaged');

  test('leaves no file, no .part and no folder behind, and ends with 4', async () => {
    const cli = await withObject(bytes);
    damageLastChunk(cli);
    const { code, stdout, stderr } = await cli.download('my-bucket/photo.jpg', '-o', cli.path('new/folder/p'));
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
    expect(stderr).toMatch(
      /^error: bytes 3145728-4194303 of my-bucket\/photo\.jpg cannot be read: chunk 3 of my-bucket\/photo\.jpg on disk "disk[123]" is damaged: .*\n {2}.*\n$/,
    );
    expect(readdirSync(cli.folder).sort()).toEqual(['photo.jpg', 'store']);
  });

  test('leaves the file that was there as it was', async () => {
    const cli = await withObject(bytes);
    damageLastChunk(cli);
    writeFileSync(cli.path('p'), 'what was there');
    expect(await cli.download('my-bucket/photo.jpg', '-o', cli.path('p'))).toMatchObject({ code: 4 });
    expect(readFileSync(cli.path('p'), 'utf8')).toBe('what was there');
    expect(readdirSync(cli.folder).sort()).toEqual(['p', 'photo.jpg', 'store']);
  });

  test('gives standard output the bytes before the damage and none after, and ends with 4', async () => {
    const cli = await withObject(bytes);
    damageLastChunk(cli);
    const result = await cli.download('my-bucket/photo.jpg', '-o', '-');
    expect(result.code).toBe(4);
    expect(result.bytes.equals(bytes.subarray(0, result.bytes.length))).toBe(true);
    expect(result.bytes.length).toBeLessThanOrEqual(3 * MIB);
  });
});
