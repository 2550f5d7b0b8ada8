import { dirname } from 'node:path/posix';
import { describe, expect, it } from 'vitest';
import type { Failures, NewDocument, NewFile, OldFile } from '../../src/disks/disk.ts';
import { must } from '../../src/errors.ts';
import { seededBytes } from '../support/bytes.ts';
import { AREA, type DiskTest } from './disk-test.ts';

const NOTHING: Failures = new Map();

/** Sizes around those that a disk may treat in different ways. */
const SIZES = [0, 1, 4095, 4096, 4097, 65_536, 262_143, 262_144, 262_145, 1_048_576];

/** The part of the contract about many small files at once. */
export function describeMany(test: DiskTest): void {
  describe.each([3, 30])('%i files together', (count) => {
    const indices = Array.from({ length: count }, (_, index) => index);
    const files = (within = AREA): NewFile[] =>
      indices.map((index) => ({ path: `${within}/${index % 3}/file${index}`, bytes: seededBytes(100 + index, index) }));
    const documents = (prefix: string): NewDocument[] =>
      indices.map((index) => ({
        path: `${AREA}/${index % 3}/deep/doc${index}`,
        bytes: seededBytes(200 + index, `${prefix}${index}`),
        id: `${prefix}-${index}`,
        within: AREA,
      }));
    const read = async (many: readonly NewFile[]): Promise<(string | undefined)[]> => {
      const outcomes = await test.disk.readMany(many.map(({ path }) => path));
      return outcomes.map((outcome) => ('bytes' in outcome ? outcome.bytes?.toString('hex') : outcome.error.code));
    };
    const hex = (many: readonly NewFile[]): string[] => many.map(({ bytes }) => Buffer.from(bytes).toString('hex'));
    const old = (many: readonly NewFile[]): OldFile[] => many.map(({ path }) => ({ path, within: AREA }));
    const paths = async (): Promise<string[]> => (await test.everything()).filter((path) => !path.endsWith('/'));

    it.each([true, false])('are created with their folders, which stay (durable: %s)', async (durable) => {
      const many = files();
      expect(await test.disk.createMany(many, { within: AREA, durable })).toEqual(NOTHING);
      expect(await read(many)).toEqual(hex(many));
      expect(await paths()).toEqual(many.map(({ path }) => path).sort());
      const here = many.map(({ path }) => ({ path, within: dirname(path) }));
      expect(await test.disk.removeMany(here, { durable })).toEqual(NOTHING);
      expect(await test.everything()).toEqual(test.hasFolders ? [`${AREA}/0/`, `${AREA}/1/`, `${AREA}/2/`] : []);
    });

    it('are created but for those that are there, which stay as they are', async () => {
      const many = files();
      const [first, second] = [many[0], many[1]].map((file) => file?.path ?? '');
      for (const path of [first, second]) await test.publish(path ?? '', Buffer.from('mine'));
      const failures = await test.disk.createMany(many, { within: AREA, durable: true });
      expect([...failures.keys()].sort()).toEqual([0, 1]);
      expect(failures.get(0)).toMatchObject({
        code: 'DISK_IO',
        details: { disk: test.disk.name, path: first },
        cause: { code: 'EEXIST' },
      });
      expect(await read(many)).toEqual([
        ...Array<string>(2).fill(Buffer.from('mine').toString('hex')),
        ...hex(many).slice(2),
      ]);
    });

    it('are each a failure where `within` is missing, and nothing is left', async ({ skip }) => {
      skip(!test.hasFolders, 'where there are no folders, none is missing');
      const many = files(`${AREA}/none`);
      const failures = await test.disk.createMany(many, { within: `${AREA}/none`, durable: true });
      expect([...failures.keys()].sort((a, b) => a - b)).toEqual(indices);
      for (const error of failures.values())
        expect(error).toMatchObject({ code: 'DISK_IO', details: { disk: test.disk.name, errno: 'ENOENT' } });
      expect(await test.everything()).toEqual([]);
    });

    it('are read and looked at in their order, each in memory of its own, and undefined where there is none', async () => {
      const sizes = indices.map((index) => SIZES[index % SIZES.length] ?? 0);
      const many = sizes.map((size, index) => ({ path: `${AREA}/f/${index}`, bytes: seededBytes(size, index) }));
      await test.disk.createMany(many, { within: AREA, durable: false });
      const asked = many.flatMap(({ path }) => [path, `${path}-none`, `${AREA}/no-folder/${path}`]);
      const outcomes = await test.disk.readMany(asked);
      const found = outcomes.map((outcome) => ('bytes' in outcome ? outcome.bytes : outcome.error));
      const wanted = many.flatMap(({ bytes }) => [Buffer.from(bytes), undefined, undefined]);
      expect(
        found.map(
          (bytes, index) => wanted[index] === bytes || (bytes as Buffer).equals(wanted[index] ?? Buffer.from('?')),
        ),
      ).toEqual(asked.map(() => true));
      const memory = found.filter((bytes) => Buffer.isBuffer(bytes)).filter(({ length }) => length > 0);
      expect(new Set(memory.map(({ buffer }) => buffer)).size).toBe(memory.length);
      const stats = await test.disk.statMany(asked);
      expect(stats).toEqual(await Promise.all(asked.map(async (path) => ({ stat: await test.disk.stat(path) }))));
      expect(stats.map((outcome) => 'stat' in outcome && outcome.stat?.size)).toEqual(
        sizes.flatMap((size) => [size, undefined, undefined]),
      );
    });

    it('are errors where the way leads through a file, never "there is none", and the others do not suffer', async ({
      skip,
    }) => {
      skip(!test.hasFolders, 'where there are no folders, no file is in the way');
      await test.publish(`${AREA}/file`, Buffer.from('x'));
      const many = files();
      const bad = `${AREA}/file/below`;
      const created = await test.disk.createMany([...many, { path: bad, bytes: Buffer.from('y') }], {
        within: AREA,
        durable: true,
      });
      expect([...created.keys()]).toEqual([count]);
      const failure = { code: 'DISK_IO', details: { disk: test.disk.name, errno: 'ENOTDIR', fault: 'blocked' } };
      expect(created.get(count)).toMatchObject(failure);
      const all = [...many.map(({ path }) => path), bad];
      const outcomes = await test.disk.readMany(all);
      expect(outcomes.map((outcome) => 'error' in outcome)).toEqual([...indices.map(() => false), true]);
      expect(outcomes[count]).toMatchObject({ error: failure });
      expect((await test.disk.statMany(all))[count]).toMatchObject({ error: failure });
      const removed = await test.disk.removeMany(
        all.map((path) => ({ path, within: AREA })),
        { durable: true },
      );
      expect([...removed.keys()]).toEqual([count]);
      expect(removed.get(count)).toMatchObject(failure);
      expect(await test.everything()).toEqual([`${AREA}/file`]);
    });

    it('are errors where a folder stands in the place of one, for who reads or creates it', async ({ skip }) => {
      skip(!test.hasFolders, 'where there are no folders, none is in the place of a file');
      const many = files();
      const [, one] = many;
      for (const folder of [`${AREA}/1`, one?.path ?? '']) await test.disk.makeFolder(folder);
      expect([...(await test.disk.createMany(many, { within: AREA, durable: true })).keys()]).toEqual([1]);
      const outcomes = await test.disk.readMany(many.map(({ path }) => path));
      expect(outcomes.map((outcome) => 'error' in outcome)).toEqual(indices.map((index) => index === 1));
      const stats = await test.disk.statMany(many.map(({ path }) => path));
      expect(stats.map((outcome) => 'stat' in outcome && outcome.stat?.isFile)).toEqual(
        indices.map((index) => index !== 1),
      );
    });

    it('are removed with the empty folders above them, those included that are gone already', async () => {
      const many = files();
      await test.disk.createMany(many.slice(1), { within: AREA, durable: false });
      await test.publish(`${AREA}/2/other`, Buffer.from('other'));
      expect(await test.disk.removeMany(old(many), { durable: true })).toEqual(NOTHING);
      expect(await test.everything()).toEqual([`${AREA}/2/`, `${AREA}/2/other`]);
    });

    it('set aside a folder in the place of a removed one, or remove even that', async ({ skip }) => {
      skip(!test.hasFolders, 'where there are no folders, none is in the place of a file');
      const many = files();
      for (const evenFolder of [false, true]) {
        for (const { path } of many) await test.publish(`${path}/below`, Buffer.from('theirs'));
        expect(await test.disk.removeMany(old(many), { durable: true, evenFolder })).toEqual(NOTHING);
        expect(await paths()).toEqual(
          many.map(({ path }) => `${path.replace(/file(\d+)$/, '.file$1.corrupt')}/below`).sort(),
        );
      }
    });

    it.each([true, false])(
      'are staged unseen, and published, discarded or left as told (durable: %s)',
      async (durable) => {
        const many = documents('first');
        const staged = await test.disk.stageMany(many, { durable });
        expect(staged.failures).toEqual(NOTHING);
        expect(await read(many)).toEqual(many.map(() => undefined));
        const chosen = indices.filter((index) => index % 2 === 0);
        const others = indices.filter((index) => index % 2 === 1);
        expect(await staged.publish(chosen)).toEqual(NOTHING);
        expect(await read(many)).toEqual(hex(many).map((text, index) => (index % 2 === 0 ? text : undefined)));
        expect(await staged.discard(others)).toEqual(NOTHING);
        expect(await staged.discard(others)).toEqual(NOTHING);
        expect(await paths()).toEqual(chosen.map((index) => many[index]?.path).sort());
        expect(await test.everything()).not.toContain(count === 3 ? `${AREA}/1/` : 'tmp/');
      },
    );

    it('replace what was there when they are published', async () => {
      for (const prefix of ['old', 'new']) {
        const staged = await test.disk.stageMany(documents(prefix), { durable: true });
        expect(await staged.publish(indices)).toEqual(NOTHING);
      }
      expect(await read(documents('new'))).toEqual(hex(documents('new')));
      expect((await test.everything()).filter((path) => path.startsWith('tmp/'))).toEqual([]);
    });

    it('tell by its index which could not be staged or published, and leave nothing of it', async ({ skip }) => {
      skip(!test.hasFolders, 'where there are no folders, nothing is in the way');
      const many = documents('bad');
      const last = count - 1;
      const middle = count - 2;
      await test.disk.makeFolder(`${AREA}/file`);
      await test.publish(`${AREA}/file/file`, Buffer.from('x'));
      many.splice(last, 1, { ...must(many[last], 'document'), path: `${AREA}/file/file/below/doc` });
      const staged = await test.disk.stageMany(many, { durable: true });
      expect([...staged.failures.keys()]).toEqual([last]);
      expect(staged.failures.get(last)).toMatchObject({ code: 'DISK_IO', details: { fault: 'blocked' } });
      const place = many[middle]?.path ?? '';
      await test.disk.makeFolder(place);
      const which = indices.slice(0, last).reverse();
      const unpublished = await staged.publish(which);
      expect([...unpublished.keys()]).toEqual([middle]);
      expect(unpublished.get(middle)).toMatchObject({ code: 'DISK_IO', cause: { code: 'EISDIR' } });
      expect(await staged.discard([middle])).toEqual(NOTHING);
      expect((await test.everything()).filter((path) => path.startsWith('tmp/'))).toEqual([]);
      const rest = many.slice(0, middle);
      expect(await read(rest)).toEqual(hex(rest));
    });

    it('are published although others keep removing the same folders as empty', async () => {
      await Promise.all(
        [0, 1, 2, 3].map(async (worker) => {
          for (let round = 0; round < 4; round++) {
            const many = indices.map((index) => ({
              path: `${AREA}/one/two/${worker}-${index}`,
              bytes: Buffer.from(`${worker} ${round} ${index}`),
              id: `race-${worker}-${index}`,
              within: AREA,
            }));
            const staged = await test.disk.stageMany(many, { durable: round % 2 === 0 });
            expect(staged.failures).toEqual(NOTHING);
            expect(await staged.publish(indices)).toEqual(NOTHING);
            expect(await read(many)).toEqual(hex(many));
            expect(await test.disk.removeMany(old(many), { durable: false })).toEqual(NOTHING);
          }
        }),
      );
      expect(await test.everything()).toEqual([]);
    });
  });

  it('does nothing for no files', async () => {
    const { disk } = test;
    expect(await disk.readMany([])).toEqual([]);
    expect(await disk.statMany([])).toEqual([]);
    expect(await disk.createMany([], { within: AREA, durable: true })).toEqual(NOTHING);
    expect(await disk.removeMany([], { durable: true })).toEqual(NOTHING);
    const staged = await disk.stageMany([], { durable: true });
    expect(staged.failures).toEqual(NOTHING);
    expect(await staged.publish([])).toEqual(NOTHING);
    expect(await staged.discard([])).toEqual(NOTHING);
    expect(await test.everything()).toEqual([]);
  });
}
