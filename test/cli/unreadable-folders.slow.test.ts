import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { chunkFile } from '../../src/metadata/shard-file.ts';
import { mintId } from '../../src/metadata/version.ts';
import { seededBytes } from '../support/bytes.ts';
import { Cli, parseLines } from '../support/cli.ts';
import { OBSTACLES, obstruct } from '../support/obstacles.ts';

const KEYS = ['a/one', 'a/two', 'b/three', 'top'];
const PLACES = ['buckets', 'buckets/bucket', 'buckets/bucket/a'];
const CONTENT = seededBytes(2_500_000, 'content');

async function filled(): Promise<Cli> {
  const cli = new Cli({ stdin: CONTENT });
  expect(await cli.store('init', '--disks', '4', '--redundancy', '2+1', '--durability', 'none')).toMatchObject({
    code: 0,
  });
  for (const key of KEYS) expect(await cli.upload('bucket', '-', '--key', key)).toMatchObject({ code: 0 });
  return cli;
}

async function keysOf(cli: Cli): Promise<unknown[]> {
  const { code, stdout, stderr } = await cli.store('ls', '-r', 'bucket', '--json');
  expect([code, stderr]).toEqual([0, '']);
  return parseLines(stdout).map(({ key }) => key);
}

const cases = OBSTACLES.flatMap((kind) => PLACES.map((place) => ({ kind, place })));

test.each(cases)(
  'a $kind in the place of $place on one disk is that disk’s damage: every command does its work with the others',
  async ({ kind, place }) => {
    const cli = await filled();
    const leftover = path.join(cli.root, 'disk1', chunkFile(mintId(), 0));
    fs.mkdirSync(path.dirname(leftover), { recursive: true });
    fs.writeFileSync(leftover, 'left over');
    await obstruct(path.join(cli.root, 'disk2', place), kind);

    expect(await cli.store('ls')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('bucket') as string,
      stderr: '',
    });
    expect(await cli.store('ls', 'bucket/a/')).toMatchObject({ code: 0, stderr: '' });
    expect(await keysOf(cli)).toEqual(KEYS);
    const target = cli.path('down');
    expect(await cli.download('-r', 'bucket', '-o', target)).toMatchObject({ code: 0, stderr: '' });
    for (const key of KEYS) expect(fs.readFileSync(path.join(target, key)).equals(CONTENT)).toBe(true);

    const verified = await cli.store('verify', '--json');
    expect(verified.code).toBe(4);
    expect(parseLines(verified.stdout).at(-1)).toMatchObject({
      objects: 4,
      lost: 0,
      unreadable: [{ disk: 'disk2', path: place, reason: expect.stringContaining(`cannot list ${place}`) as string }],
    });
    const hurt = parseLines(verified.stdout).filter(({ state, key }) => state === 'degraded' && key !== '');
    expect(hurt.map(({ key }) => key)).toEqual(
      KEYS.filter((key) => place !== 'buckets/bucket/a' || key.startsWith('a/')),
    );
    for (const { problems } of hurt)
      expect(problems).toMatchObject([{ part: 'meta', disk: 'disk2', state: 'unreadable' }]);
    expect(await cli.store('verify', '--quick')).toMatchObject({
      code: 4,
      stdout: expect.stringContaining(`${place}  disk2 cannot read it`) as string,
    });

    const swept = await cli.store('gc');
    expect(swept.code).toBe(0);
    expect(swept.stderr).toContain(`leftover chunks are kept: disk "disk2" failed: cannot list ${place}`);
    expect(fs.existsSync(leftover)).toBe(true);

    const listed = await cli.store('disk', 'ls');
    expect(listed.code).toBe(0);
    expect(listed.stdout).toMatch(/^disk2 +failing, stale /m);
    expect(listed.stdout).toContain(`disk "disk2" failed: cannot list ${place}`);
    expect(await cli.store('rebalance')).toMatchObject({ code: 0 });
    expect(await cli.store('disk', 'drain', 'disk4')).toMatchObject({ code: 0 });
    expect(await cli.store('disk', 'remove', 'disk4')).toMatchObject({
      code: 5,
      stderr: expect.stringContaining(`cannot list ${place}`) as string,
    });
    expect(await cli.store('disk', 'drain', 'disk4', '--cancel')).toMatchObject({ code: 0 });

    expect(await cli.upload('bucket', '-', '--key', 'a/four')).toMatchObject({ code: 0 });
    expect(await cli.store('rm', '-r', 'bucket/a/t')).toMatchObject({ code: 0, stdout: 'deleted bucket/a/two\n' });

    // Somebody else's missing chunks are made again, and the exit code says what verify then says.
    fs.rmSync(path.join(cli.root, 'disk3', 'chunks'), { recursive: true });
    const healed = await cli.store('heal', '--json');
    expect(parseLines(healed.stdout).at(-1)).toMatchObject({ objects: 4, lost: 0 });
    expect(Number(parseLines(healed.stdout).at(-1)?.['rebuilt'])).toBeGreaterThan(0);
    const after = await cli.store('verify', '--json');
    const problems = parseLines(after.stdout).flatMap(({ problems: all }) =>
      Array.isArray(all) ? (all as { disk: string }[]) : [],
    );
    expect(problems.filter(({ disk }) => disk !== 'disk2')).toEqual([]);
    expect([0, 4]).toContain(healed.code);
    expect(after.code).toBe(healed.code);
  },
);

test.each(PLACES)(
  'everything can be deleted while one disk has a file in the place of %s, and nothing returns with the folder',
  async (place) => {
    const cli = await filled();
    const back = await obstruct(path.join(cli.root, 'disk2', place), 'file');
    expect(await cli.store('rm', '-r', 'bucket')).toMatchObject({ code: 0, stderr: '' });
    expect(await keysOf(cli)).toEqual([]);
    expect(await cli.store('bucket', 'rm', 'bucket')).toMatchObject({ code: 0, stderr: '' });
    expect(await cli.store('ls')).toMatchObject({ code: 0, stdout: '' });
    await cli.store('gc');
    back();
    expect(await cli.store('ls')).toMatchObject({ code: 0, stdout: '' });
    expect(await cli.store('heal')).toMatchObject({ code: 0 });
    expect(await cli.store('ls')).toMatchObject({ code: 0, stdout: '' });
    expect(await cli.store('bucket', 'create', 'bucket')).toMatchObject({ code: 0 });
    expect(await keysOf(cli)).toEqual([]);
  },
);
