import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Rebuilt } from '../../../src/cli/terminal/rebuilt.ts';
import { StoreError, type ChunkEntry } from '../../../src/index.ts';
import { parseLines } from '../../support/cli.ts';
import { allShards, BIG, redundantStore, ruinSmall, shardsOn } from '../redundant-store.ts';

const NOTE = /rebuilt from parity/;

// On a machine that is busy a chunk may be slow to come and be rebuilt, too: the counts here are the least that can be.

/** Matches a number of so many or more. */
function atLeast(least: number): unknown {
  return expect.toSatisfy((count: number) => count >= least);
}

describe('a download that has to rebuild chunks', () => {
  test('gives the right bytes, and counts the chunks with --json', async () => {
    const cli = await redundantStore('2+1', 3);
    const [first = ''] = shardsOn(cli, 'disk1', /00000\d\.chunk$/);
    writeFileSync(first, 'damage');
    const { code, stdout, stderr } = await cli.download('photos/big', '-o', cli.path('out'), '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(parseLines(stdout)).toMatchObject([{ key: 'big', rebuilt: atLeast(1) }]);
    expect(readFileSync(cli.path('out')).equals(BIG)).toBe(true);
  });

  test('says so on a terminal, on which disk, and that heal mends them', async () => {
    const cli = await redundantStore('2+1', 3);
    const lost = shardsOn(cli, 'disk1', /\.chunk$/);
    for (const file of lost) rmSync(file);
    const { code, stdout, stderr } = await cli.with({ terminal: true }).download('photos/big', '-o', cli.path('out'));
    expect(code).toBe(0);
    expect(stdout).not.toMatch(NOTE);
    expect(stderr).toMatch(
      /\d chunks? of disk1.* (was|were) rebuilt from parity on the way.*; "store heal" mends what is wrong\n$/,
    );
  });

  test('says so to standard output too, on stderr', async () => {
    const cli = await redundantStore('2+1', 3);
    for (const file of shardsOn(cli, 'disk1', /\.chunk$/)) rmSync(file);
    const { bytes, stderr } = await cli.with({ terminal: true }).download('photos/big', '-o', '-');
    expect(bytes.equals(BIG)).toBe(true);
    expect(stderr).toMatch(NOTE);
  });

  test('of many objects has the count of each with --json, and one line for all on a terminal', async () => {
    const cli = await redundantStore('1+1', 3);
    const lost = allShards(cli, /00000[01]\.chunk$/);
    expect(lost).toHaveLength(3);
    for (const file of lost) rmSync(file);
    const { code, stdout } = await cli.download('-r', 'photos', '-o', cli.path('out'), '--json');
    expect(code).toBe(0);
    const counts = parseLines(stdout).map(({ key, rebuilt }) => [key, rebuilt]);
    expect(counts.sort()).toEqual([
      ['big', atLeast(2)],
      ['small', atLeast(1)],
    ]);
    const { stderr } = await cli.with({ terminal: true }).download('-r', 'photos', '-o', cli.path('again'));
    expect(stderr.match(/\d chunks of disk\d(, disk\d)* were rebuilt/g)).toHaveLength(1);
  });

  test('says nothing with --quiet, nor where nothing was rebuilt', async () => {
    const cli = (await redundantStore('1+1', 3)).with({ terminal: true });
    await cli.with({ stdin: 'bare' }).upload('photos', '-', '--key', 'bare', '--redundancy', '1+0');
    expect((await cli.download('photos/bare', '-o', cli.path('out'))).stderr).not.toMatch(NOTE);
    expect(parseLines((await cli.download('photos/bare', '-o', cli.path('out'), '--json')).stdout)).toMatchObject([
      { rebuilt: 0 },
    ]);
    ruinSmall(cli);
    expect((await cli.download('photos/small', '-o', cli.path('out'), '--quiet')).stderr).toBe('');
    expect(readFileSync(cli.path('out'), 'utf8')).toBe('small');
  });
});

describe('what is said of rebuilt chunks', () => {
  const chunk = (disk: string): ChunkEntry => ({ order: 0, disk, file: '000000.chunk', size: 1, sha256: '' });
  const slow = new StoreError(
    'CHUNK_UNAVAILABLE',
    'chunk 0 of b/k on disk "d" is slow to come (chunks/0/000000.chunk)',
    { fault: 'slow' },
  );
  const missing = new StoreError('CHUNK_UNAVAILABLE', 'chunk 0 of b/k on disk "d" is missing (chunks/0/000000.chunk)', {
    fault: 'missing',
  });

  test('is nothing of none', () => {
    expect(new Rebuilt().describe()).toBeUndefined();
  });

  test('is that a disk is slow, where that was all', () => {
    const rebuilt = new Rebuilt();
    rebuilt.add(chunk('disk10'), slow);
    expect(rebuilt.describe()).toBe('1 chunk was rebuilt from parity on the way, because disk10 is slow to answer');
    rebuilt.add(chunk('disk9'), slow);
    expect(rebuilt.describe()).toBe(
      '2 chunks were rebuilt from parity on the way, because disk9, disk10 are slow to answer',
    );
  });

  test('is both where both happened, and a part counts in the whole', () => {
    const all = new Rebuilt();
    const one = new Rebuilt(all);
    one.add(chunk('a'), slow);
    new Rebuilt(all).add(chunk('b'), missing);
    expect([one.count, all.count]).toEqual([1, 2]);
    expect(all.describe()).toBe(
      '2 chunks of a, b were rebuilt from parity on the way (1 of them merely slow to come); "store heal" mends what is wrong',
    );
  });
});
