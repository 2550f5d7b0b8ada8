import * as path from 'node:path';
import { DiskSet } from '../../src/disks/disk-set.ts';
import type { Disk } from '../../src/disks/disk.ts';
import type { Patience } from '../../src/concurrency/patience.ts';
import type { ObjectStore } from '../../src/index.ts';
import { KernelLocks } from '../../src/locks/kernel-locks.ts';
import { Attendance, LOCK_FILE, type WaitOptions } from '../../src/store/members/attendance.ts';
import { StoreContext } from '../../src/store/protocol/context.ts';
import { Membership } from '../../src/store/members/membership.ts';

/** A second view of a store, as another process has it, with disks of the test's own around the real ones. */
export async function contextOf(
  { root }: Pick<ObjectStore, 'root'>,
  wrap: (disk: Disk) => Disk = (disk) => disk,
  locks = new KernelLocks(path.join(root, LOCK_FILE)),
): Promise<StoreContext> {
  const members = await Membership.open(root);
  if (members === undefined) throw new Error(`there is no store in ${root}`);
  const plain = (of: Membership): DiskSet => Reflect.get<Membership, 'disks'>(Membership.prototype, 'disks', of);
  const wrapped = new WeakMap<DiskSet, DiskSet>();
  const disks = new Map<Disk, Disk>();
  const around = (disk: Disk): Disk => {
    const known = disks.get(disk) ?? wrap(disk);
    disks.set(disk, known);
    return known;
  };
  // The disks may change while the context is in use; each keeps the one wrapper that it got first.
  Object.defineProperty(members, 'disks', {
    get(): DiskSet {
      const set: DiskSet = plain(members);
      let mine = wrapped.get(set);
      if (mine === undefined) {
        mine = new DiskSet(
          set.disks.map(around),
          new Map(
            members.document.disks.flatMap(({ name, role }) => (role === undefined ? [] : [[name, role] as const])),
          ),
        );
        wrapped.set(set, mine);
      }
      return mine;
    },
  });
  return new StoreContext(members, locks, 4);
}

/** Enough for any disk that answers at all; those that hang in a test are given up soon. */
const PATIENCE: Patience = { look: 2000, work: 2000, notice: 500, gate: 4000 };

/** A second view of a store, as another process has it, whose disks are waited for with patience; what the test puts around a disk is waited for too. */
export async function patientContext(
  { root }: ObjectStore,
  wrap: (disk: Disk) => Disk = (disk) => disk,
  { patience, ...options }: Omit<WaitOptions, 'patience'> & { patience?: Partial<Patience> } = {},
): Promise<StoreContext> {
  class Wrapping extends Attendance {
    protected override around(disk: Disk): Disk {
      return wrap(disk);
    }
  }
  const members = await Membership.open(root, new Wrapping(root, options, { ...PATIENCE, ...patience }));
  if (members === undefined) throw new Error(`there is no store in ${root}`);
  return new StoreContext(members, members.attendance.locks, 8);
}

/** Something to wait for, and how to let the waiting go on. */
export function gate(): { open: () => void; opened: Promise<void> } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return {
    open: () => {
      open();
    },
    opened,
  };
}
