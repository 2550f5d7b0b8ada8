import { appendFileSync, readdirSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { Cli, parseLines } from '../support/cli.ts';
import { startDoor, until, type Ended } from '../support/processes.ts';

const CHUNKS = 64;
const SIZE = CHUNKS * 1024 * 1024;

/** How often an upload may be done before this test gets to change its file. */
const TRIES = 20;

/** The files below the store's disks, fan-out folders left out, which stay. */
function files(cli: Cli): string[] {
  return ['disk1', 'disk2', 'disk3']
    .flatMap((disk) => readdirSync(path.join(cli.root, disk), { recursive: true, encoding: 'utf8' }))
    .filter((name) => !/^chunks\/..$/.test(name))
    .sort();
}

/** Uploads a file, and changes it when some of its chunks are there and others are not. */
async function uploadWhile(cli: Cli, change: (file: string) => void): Promise<Ended> {
  const file = cli.path('big');
  const countChunks = (): number => files(cli).filter((name) => name.endsWith('.chunk')).length;
  const before = countChunks();
  for (let tries = 0; tries < TRIES; tries++) {
    writeFileSync(file, '');
    truncateSync(file, SIZE);
    const running = startDoor('upload', [
      'my-bucket',
      file,
      '--key',
      'other',
      '--root',
      cli.root,
      '--concurrency',
      '1',
    ]);
    await until('chunks are there', () => running.isOver() || countChunks() > before + 1);
    // Stopped, it can't be done before the file changes.
    running.kill('SIGSTOP');
    const isUnderWay = !running.isOver() && countChunks() > before && countChunks() < before + CHUNKS;
    if (isUnderWay) change(file);
    running.kill('SIGCONT');
    const ended = await running.ended;
    if (isUnderWay) return ended;
    await cli.store('rm', 'my-bucket/other');
  }
  throw new Error(`${TRIES} uploads were done too quickly`);
}

describe('a file that changes while it is read is refused with exit code 1, and nothing of it stays', () => {
  test.each([
    [
      'grows',
      (file: string) => {
        appendFileSync(file, 'more');
      },
    ],
    [
      'shrinks',
      (file: string) => {
        truncateSync(file, SIZE - 1);
      },
    ],
    [
      'is written to without a change of its size',
      (file: string) => {
        utimesSync(file, 1, 1);
      },
    ],
  ])('when it %s', async (_, change) => {
    const cli = new Cli({ stdin: 'before' });
    await cli.upload('my-bucket', '-', '--key', 'k');
    const before = files(cli);
    const { code, stdout, stderr } = await uploadWhile(cli, change);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      /^error: ".*\/big" changed while it was being read \(67108864 bytes before, 6710886\d now\)\n {2}upload it again when nobody is writing to it\n$/,
    );
    expect(files(cli)).toEqual(before);
    expect(parseLines((await cli.store('gc', '--json')).stdout)).toMatchObject([{ leftoverChunks: 0, stagedFiles: 0 }]);
  });
});
