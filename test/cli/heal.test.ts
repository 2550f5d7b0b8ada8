import { existsSync, mkdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { Cli, parseLines } from '../support/cli.ts';
import { allShards, BIG, readBig, redundantStore, ruinSmall, shardsOn, unplug } from './redundant-store.ts';

describe('store heal', () => {
  test('of a store that is whole has nothing to do, says what it read, and ends with 0', async () => {
    const cli = await redundantStore();
    const { code, stdout, stderr } = await cli.store('heal');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^nothing to heal\n2 objects: 2 whole, 0 degraded, 0 lost {2}8\.0 MiB checked {2}.*\n$/);
  });

  test('rebuilds what is missing or wrong, says how much it has read back, and a verify after it is clean', async () => {
    const cli = await redundantStore('2+1', 3);
    const [wrong = '', missing = ''] = [
      shardsOn(cli, 'disk1', /00000[0-3]\.chunk$/)[0],
      allShards(cli, /000004\.parity0$/)[0],
    ];
    const content = readFileSync(missing);
    writeFileSync(wrong, 'damage');
    rmSync(missing);
    const { code, stdout, stderr } = await cli.store('heal');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^healed 2 chunks \(2\.0 MiB\), each read back\n2 objects: 2 whole, 0 degraded, 0 lost {2}/);
    expect(readFileSync(missing).equals(content)).toBe(true);
    expect(await cli.store('verify')).toMatchObject({ code: 0 });
    expect((await cli.store('heal')).stdout).toMatch(/^nothing to heal\n/);
  });

  test('says what stood in the way and what it is called now, each where there are few', async () => {
    const cli = await redundantStore('2+1', 3);
    const folder = path.join(cli.root, 'disk1/buckets/photos');
    rmSync(path.join(folder, 'big.meta.json'));
    symlinkSync('/dev/zero', path.join(folder, 'big.meta.json'));
    const { code, stdout, stderr } = await cli.store('heal');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      /^brought the copies of 1 document into step\nsomething stood in the way; it is disk1\/buckets\/photos\/\.big\.meta\.json\.corrupt now\n2 objects: 2 whole/,
    );
    expect(readlinkSync(path.join(folder, '.big.meta.json.corrupt'))).toBe('/dev/zero');
    for (const name of Array.from({ length: 12 }, (_, number) => `k${number}`)) {
      await cli.with({ stdin: name }).upload('photos', '-', '--key', name);
      rmSync(path.join(folder, `${name}.meta.json`));
      mkdirSync(path.join(folder, `${name}.meta.json`));
    }
    const many = await cli.store('heal');
    expect(many.stdout.match(/something stood in the way/g)).toHaveLength(10);
    expect(many.stdout).toContain('… and 2 things more');
    expect((await cli.store('verify')).code).toBe(0);
  });

  test('--dry-run tells what it would do, ends with the exit code of a verify, and does nothing', async () => {
    const cli = await redundantStore('2+1', 3);
    const [missing = ''] = shardsOn(cli, 'disk1', /\.parity0$/);
    rmSync(missing);
    const { code, stdout } = await cli.store('heal', '--dry-run');
    expect(code).toBe(4);
    expect(stdout).toMatch(
      /^degraded {2}photos\/big {2}survives 0 more\n {2}disk1: 1 parity chunk missing \(.*\)\nwould rebuild 1 chunk\n2 objects: 1 whole, 1 degraded, 0 lost /,
    );
    expect(existsSync(missing)).toBe(false);
  });

  test('--dry-run tells what has to wait for a disk', async () => {
    const cli = await redundantStore('2+1', 3);
    unplug(cli, 'disk1');
    expect((await cli.store('heal', '--dry-run')).stdout).toMatch(
      /\ncould not rebuild \d chunks while their disks are offline\n/,
    );
  });

  test('of a bucket or prefix heals only that', async () => {
    const cli = await redundantStore('1+1', 3);
    ruinSmall(cli);
    expect(await cli.store('heal', 'photos/big')).toMatchObject({ code: 0 });
    expect(await cli.store('verify')).toMatchObject({ code: 4 });
    expect((await cli.store('heal', 'photos/sm')).stdout).toMatch(
      /^healed 1 chunk \(5 B\), each read back\n1 object: 1 whole/,
    );
    expect(await cli.store('verify')).toMatchObject({ code: 0 });
  });

  test.each([['heal'], ['rebalance']])(
    'on a terminal says that an interrupted %s can be gone on with',
    async (...command) => {
      const cli = await redundantStore();
      const interrupted = cli.with({ terminal: true, signal: AbortSignal.abort() });
      const { code, stdout, stderr } = await interrupted.store(...command);
      expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
      // After the end of the bar, which would otherwise be drawn over it.
      expect(stderr).toMatch(/interrupted; what has been done stays, and the same command goes on from there\S*\n$/);
    },
  );

  test('names every object that is lost, heals the others, and ends with 4', async () => {
    const cli = await redundantStore('1+0', 3);
    await cli.with({ stdin: BIG }).upload('photos', '-', '--key', 'safe', '--redundancy', '1+1');
    for (const file of allShards(cli, /000000\.chunk$/)) rmSync(file);
    const { code, stdout } = await cli.store('heal');
    expect(code).toBe(4);
    expect(stdout).toMatch(/^lost {6}photos\/big {2}bytes 0-1048575$/m);
    expect(stdout).toMatch(/^lost {6}photos\/small {2}bytes 0-4$/m);
    expect(stdout).toMatch(/\nhealed 1 chunk \(1\.0 MiB\), each read back\n3 objects: 1 whole, 0 degraded, 2 lost {2}/);
    expect((await cli.store('verify')).stdout).toMatch(/\n3 objects: 1 whole, 0 degraded, 2 lost {2}/);
  });

  test('never says "healed" of what it has not rebuilt', async () => {
    const cli = await redundantStore('1+0', 3);
    for (const file of allShards(cli)) rmSync(file);
    const { stdout } = await cli.store('heal');
    expect(stdout).not.toContain('healed');
    expect(stdout).toMatch(/^nothing could be mended$/m);
  });

  test('while a disk is away ends with 4, because not all is whole', async () => {
    const cli = await redundantStore('2+1', 3);
    unplug(cli, 'disk2');
    const { code, stdout } = await cli.store('heal');
    expect(code).toBe(4);
    expect(stdout).toMatch(/\n2 objects: 0 whole, 2 degraded, 0 lost {2}/);
  });

  test('warns of what could not be done, and does not end with 0 then, although all is whole', async () => {
    const cli = new Cli();
    await cli.store('init');
    rmSync(path.join(cli.root, 'disk2'), { recursive: true });
    await cli.store('disk', 'replace', 'disk2', '--no-heal');
    rmSync(path.join(cli.root, 'disk2'), { recursive: true });
    const { code, stdout, stderr } = await cli.store('heal');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^nothing to heal\n0 objects: 0 whole, 0 degraded, 0 lost {2}/);
    expect(stderr).toMatch(
      /^warning: disk "disk2" is missing \(.*\), so it cannot join\n(warning: leftover chunks are kept: .*\n)?$/,
    );
  });

  test('brings the metas of a disk that was away into step, and removes what it should no longer have', async () => {
    const cli = await redundantStore('1+1', 3);
    const plugIn = unplug(cli, 'disk1');
    await cli.store('rm', 'photos/big');
    await cli.with({ stdin: 'new' }).upload('photos', '-', '--key', 'new');
    plugIn();
    const { code, stdout } = await cli.store('heal');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^brought the copies of \d documents into step$/m);
    expect(stdout).toMatch(/^removed \d leftover chunks \(\d\.0 MiB\)$/m);
    expect(existsSync(path.join(cli.root, 'disk1/buckets/photos/new.meta.json'))).toBe(true);
    expect((await cli.store('ls', '-r', 'photos')).stdout).not.toContain('big');
  });

  test('--json gives a line for every object, and one with all that was done', async () => {
    const cli = await redundantStore('2+1', 3);
    ruinSmall(cli);
    const { code, stdout, stderr } = await cli.store('heal', '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = parseLines(stdout);
    // The most endangered come first.
    expect(lines.map(({ type, key, state }) => [type, key, state])).toEqual([
      ['object', 'big', 'whole'],
      ['object', 'small', 'whole'],
      ['total', undefined, undefined],
    ]);
    expect(lines[2]).toMatchObject({
      objects: 2,
      whole: 2,
      degraded: 0,
      lost: 0,
      rebuilt: 1,
      rebuiltBytes: 5,
      moved: 0,
      movedBytes: 0,
      settled: 0,
      joined: [],
      failed: [],
      dryRun: false,
      gc: { leftoverChunks: 0 },
    });
    expect((await readBig(cli)).equals(BIG)).toBe(true);
  });

  test('--json has the most endangered object first', async () => {
    const cli = await redundantStore('2+1', 3);
    for (const file of allShards(cli, /\.chunk$/)) if (readFileSync(file, 'utf8') === 'small') rmSync(file);
    const keys = parseLines((await cli.store('heal', '--json')).stdout).map(({ key }) => key);
    expect(keys).toEqual(['small', 'big', undefined]);
  });

  test('on a terminal draws a bar with what there is to do, and takes it away', async () => {
    const cli = await redundantStore();
    const { stdout, stderr } = await cli.with({ terminal: true }).store('heal');
    expect(stderr).toMatch(/heal .*\d+% {2}.* of 8\.0 MiB/);
    expect(stderr.lastIndexOf('\u001b[?25h')).toBeGreaterThan(stderr.lastIndexOf('\u001b[?25l'));
    expect(stdout).toMatch(/^nothing to heal\n/);
  });

  test('of a bucket that is not there ends with 3, and where too few disks can be written to with 5', async () => {
    const cli = await redundantStore('2+1', 3);
    expect(await cli.store('heal', 'no-bucket')).toMatchObject({ code: 3, stdout: '' });
    for (const disk of ['disk1', 'disk2']) unplug(cli, disk);
    const { code, stdout, stderr } = await cli.store('heal');
    expect({ code, stdout }).toEqual({ code: 5, stdout: '' });
    expect(stderr).toMatch(/^error: 1 of 3 disks are online, a write needs 2: /);
  });
});
