import { expect, test } from 'vitest';
import { FaultyDisk } from '../../support/faulty-disk.ts';
import { setDraining } from '../../../src/store/fleet/drain.ts';
import { gc } from '../../../src/store/health/gc.ts';
import { moveAll } from '../../../src/store/fleet/move.ts';
import { Relocation } from '../../../src/store/health/relocation.ts';
import type { LockSession } from '../../../src/locks/locks.ts';
import { seededBytes } from '../../support/bytes.ts';
import { contextOf, gate } from '../../support/context.ts';
import { NOTHING_TO_DO } from '../../support/gc.ts';
import { expectAll, expectWhole } from '../../support/shards.ts';
import { MIB, newStore } from '../../support/store.ts';

test.each(['ends', 'dies as soon as its metas are there'])(
  'gc, which has seen the metas before chunks are moved, removes none of them when the mover %s meanwhile',
  async (how) => {
    const store = await newStore(3);
    const objects = new Map([['key', seededBytes(9 * MIB, 'moved')]]);
    for (const [key, bytes] of objects) await store.put('bucket', key, bytes);

    // gc stops where it has looked at all objects, and has still to look at the bucket itself.
    const seen = gate();
    const going = gate();
    const collector = await contextOf(store, (disk) => {
      const faulty = new FaultyDisk(disk, [
        { operation: 'read', path: /\.bucket\.json$/, effect: { kind: 'hang', until: going.opened } },
      ]);
      const read = faulty.read.bind(faulty);
      faulty.read = (path, options) => {
        if (path.endsWith('.bucket.json')) seen.open();
        return read(path, options);
      };
      return faulty;
    });
    const collecting = gc(collector, {});
    await seen.opened;

    // The disk is marked as draining first, with nothing moved yet.
    const mover = await contextOf(store);
    await setDraining(mover, 'disk1', false, {});
    const died = gate();
    const open = mover.locks.open.bind(mover.locks);
    if (how !== 'ends') {
      const sessions: LockSession[] = [];
      mover.locks.open = async (access) => {
        const session = await open(access);
        sessions.push(session);
        const mark = session.mark.bind(session);
        let isShown = false;
        // A process that dies frees its locks and says no more.
        session.mark = async () => {
          const meta = await store.head('bucket', 'key');
          isShown = meta.revision !== undefined;
          if (!isShown) return mark();
          await Promise.all(sessions.map((held) => held.close()));
          died.open();
          return new Promise<void>(() => undefined);
        };
        return session;
      };
    }
    const moving = moveAll(mover, {}, (view) => Relocation.of(mover, view));
    await Promise.race([moving, died.opened]);
    going.open();
    await collecting;
    await expectAll(store, objects);
    await store.gc();
    await store.heal();
    await expectAll(store, objects);
    await expectWhole(store);
    expect(await store.gc()).toEqual(NOTHING_TO_DO);
  },
);
