import * as fs from 'node:fs';
import * as path from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { FaultyDisk } from '../../support/faulty-disk.ts';
import { isStoreError } from '../../../src/errors.ts';
import { KernelLocks } from '../../../src/locks/kernel-locks.ts';
import { SharedNote } from '../../../src/locks/shared-note.ts';
import { mintVersion } from '../../../src/store/protocol/clock.ts';
import type { StoreContext } from '../../../src/store/protocol/context.ts';
import { Operation } from '../../../src/store/protocol/operation.ts';
import { LOCK_FILE } from '../../../src/store/members/attendance.ts';
import { fc } from '../../metadata/property.ts';
import { contextOf } from '../../support/context.ts';
import { newStore, takeAway } from '../../support/store.ts';
import { tempFolder } from '../../support/temp.ts';

afterEach(() => {
  vi.useRealTimers();
});

/** The store as a process sees it on a machine that has been started for the so many-eth time. */
function processOf(root: string, boot: number): Promise<StoreContext> {
  const lockFile = path.join(root, LOCK_FILE);
  return contextOf(
    { root },
    undefined,
    new KernelLocks(lockFile, undefined, new SharedNote(`${lockFile}.note`, `boot ${boot}`)),
  );
}

function mint(context: StoreContext): Promise<string> {
  return Operation.run(context, {}, (operation) => mintVersion(operation, { view: operation.view, copies: [] }));
}

type Step =
  | { do: 'mint'; process: number; clock: number }
  /** The power goes; with `isOldNoteKept`, an older note than the last is what is left of it. */
  | { do: 'boot'; isOldNoteKept: boolean }
  | { do: 'lose note' }
  /** A copy of the horizon is damaged. */
  | { do: 'damage'; disk: number }
  | { do: 'take away'; disk: number }
  | { do: 'bring back' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('mint' as const),
      process: fc.nat(2),
      clock: fc.integer({ min: -1e8, max: 1e8 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('boot' as const), isOldNoteKept: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ do: 'lose note' as const }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('damage' as const), disk: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('take away' as const), disk: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'bring back' as const }) },
);

describe('the versions of a store', () => {
  test.each([1, 2, 3, 4, 5])(
    'grow from one to the next, whatever clocks say, whoever mints and whichever disk of %i is away or damaged',
    async (disks) => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
          const { root } = await newStore(disks);
          const note = `${path.join(root, LOCK_FILE)}.note`;
          let boot = 0;
          let processes = await Promise.all([0, 1, 2].map(() => processOf(root, boot)));
          let back = (): void => undefined;
          let last = '';
          let oldNote: Buffer | undefined;
          for (const now of steps) {
            if (now.do === 'mint') {
              vi.useFakeTimers({ now: 1.7e12 + now.clock, toFake: ['Date'] });
              const context = processes[now.process];
              if (context === undefined) throw new Error('no such process');
              const version = await mint(context).catch((error: unknown) => {
                // With too few horizons left nobody can tell.
                if (!isStoreError(error, 'META_DAMAGED', 'TOO_FEW_DISKS_TO_READ')) throw error;
              });
              if (version === undefined) continue;
              expect(version > last).toBe(true);
              last = version;
              if (oldNote === undefined && fs.existsSync(note)) oldNote = fs.readFileSync(note);
            } else if (now.do === 'boot') {
              if (now.isOldNoteKept && oldNote !== undefined) fs.writeFileSync(note, oldNote);
              oldNote = undefined;
              processes = await Promise.all([0, 1, 2].map(() => processOf(root, boot + 1)));
              boot++;
            } else if (now.do === 'damage') {
              const file = path.join(root, `disk${(now.disk % disks) + 1}`, 'horizon.json');
              if (fs.existsSync(file)) fs.writeFileSync(file, 'damaged');
            } else if (now.do === 'lose note') {
              fs.rmSync(note, { force: true });
            } else {
              back();
              back = (): void => undefined;
              // With three disks or more, one may be away.
              if (now.do === 'take away' && disks >= 3 && now.disk < disks)
                back = takeAway({ root } as never, `disk${now.disk + 1}`);
            }
          }
          vi.useRealTimers();
        }),
        { numRuns: 12 },
      );
    },
  );

  test('grow for writers side by side, who write the horizon once for all', async () => {
    const { root } = await newStore();
    let writes = 0;
    const context = await contextOf({ root }, (disk) => {
      const stage = disk.stage.bind(disk);
      disk.stage = (file, bytes, options) => {
        if (file === 'horizon.json') writes++;
        return stage(file, bytes, options);
      };
      return disk;
    });
    // The bucket of the store had its version minted before.
    fs.unlinkSync(path.join(root, '.lock.note'));
    const rounds = await Promise.all(Array.from({ length: 100 }, () => mint(context)));
    expect(new Set(rounds).size).toBe(100);
    expect(writes).toBe(3);
  });

  test('go on from the horizon where it could be written on too few disks', async () => {
    const { root } = await newStore();
    const before = await mint(await processOf(root, 1));
    const failing = await contextOf({ root }, (disk) =>
      disk.name === 'disk1'
        ? disk
        : new FaultyDisk(disk, [
            { operation: 'stage', path: 'horizon.json', times: Infinity, effect: { kind: 'fail', errno: 'ENOSPC' } },
          ]),
    );
    fs.unlinkSync(path.join(root, '.lock.note'));
    await expect(mint(failing)).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect((await mint(await processOf(root, 2))) > before).toBe(true);
  });
});

describe('the note that processes share', () => {
  test('is empty at first, keeps what is written, and is empty again after the machine was started anew', async () => {
    const file = path.join(tempFolder(), 'note');
    const seen: string[] = [];
    const write = (boot: string, text: string): Promise<void> =>
      new SharedNote(file, boot).update((before) => {
        seen.push(before);
        return text;
      });
    await write('one', 'a long first text');
    await write('one', 'short');
    await write('one', 'third');
    await write('two', 'fourth');
    await write('two', 'fifth');
    expect(seen).toEqual(['', 'a long first text', 'short', '', 'fourth']);
  });

  test('is no link that leads elsewhere, and no FIFO that is waited for', async () => {
    const folder = tempFolder();
    const target = path.join(folder, 'target');
    fs.writeFileSync(target, 'mine');
    fs.symlinkSync(target, path.join(folder, 'note'));
    await new SharedNote(path.join(folder, 'note')).update(() => 'text');
    expect(fs.readFileSync(target, 'utf8')).toBe('mine');
    expect(fs.existsSync(path.join(folder, 'note'))).toBe(false);
  });

  test('that can be neither written nor removed fails, because somebody could read what is old', async () => {
    const folder = path.join(tempFolder(), 'note');
    fs.mkdirSync(folder);
    await expect(new SharedNote(folder).update(() => 'text')).rejects.toMatchObject({ code: 'STORE_NOT_WRITABLE' });
  });
});
