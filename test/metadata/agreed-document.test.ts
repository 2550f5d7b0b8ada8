import { describe, expect, it } from 'vitest';
import type { Disk } from '../../src/disks/disk.ts';
import { DiskSet, type DiskRole } from '../../src/disks/disk-set.ts';
import { isStoreError, StoreError } from '../../src/errors.ts';
import { agreedDocument, newestCopy, type Copy } from '../../src/metadata/copies.ts';
import { compareAge, FORMAT, type VersionedDocument } from '../../src/metadata/document.ts';
import { MemoryDisk } from '../contract/memory-disk.ts';
import { LATER, VERSION } from './sample-meta.ts';

/** What a disk is found to hold; `away` disks are offline and have no copy. */
type Found = 'new' | 'old' | 'absent' | 'other' | 'bad' | 'away';

const OLD: VersionedDocument = { format: FORMAT, version: VERSION, checksum: '' };
const NEW: VersionedDocument = { format: FORMAT, version: LATER, checksum: '' };

const COPIES: Record<Exclude<Found, 'away'>, (disk: Disk) => Copy<VersionedDocument>> = {
  new: (disk) => ({ disk, state: 'valid', document: NEW, bytes: Buffer.alloc(0) }),
  old: (disk) => ({ disk, state: 'valid', document: OLD, bytes: Buffer.alloc(0) }),
  absent: (disk) => ({ disk, state: 'absent' }),
  other: (disk) => ({ disk, state: 'other', name: 'my-bucket/DEMO', bytes: Buffer.alloc(0) }),
  bad: (disk) => ({ disk, state: 'bad', error: new StoreError('META_DAMAGED', 'damaged'), bytes: undefined }),
};

function judge(found: readonly Found[], allowStale = false): VersionedDocument | string | undefined {
  const set = new DiskSet(found.map((_, index) => new MemoryDisk(`memory${index}`)));
  const copies = found.flatMap((state, index) => {
    const disk = set.disks[index];
    return disk === undefined || state === 'away' ? [] : [COPIES[state](disk)];
  });
  try {
    return agreedDocument(set, copies, allowStale);
  } catch (error) {
    if (isStoreError(error)) return error.code;
    throw error;
  }
}

/** Every list of `length` states. */
function combinations<T>(states: readonly T[], length: number): T[][] {
  if (length === 0) return [[]];
  const shorter = combinations(states, length - 1);
  return states.flatMap((state) => shorter.map((rest) => [state, ...rest]));
}

/** What a disk was left with by the last write, and what is found of it. */
const CASES = [
  ...(['new', 'bad', 'away'] as const).map((found) => ({ took: true, found })),
  ...(['old', 'absent', 'other', 'bad', 'away'] as const).map((found) => ({ took: false, found })),
];

describe('what the disks agree on', () => {
  it.each([1, 2, 3, 4])(
    'with %i disks: what W of them took is found or refused, never something older or nothing, in every case',
    (count) => {
      const writeQuorum = Math.floor(count / 2) + 1;
      const readQuorum = Math.ceil(count / 2);
      let visited = 0;
      let refused = 0;
      for (const disks of combinations(CASES, count)) {
        if (disks.filter(({ took }) => took).length < writeQuorum) continue;
        visited++;
        const found = disks.map((disk) => disk.found);
        const answers = found.filter((state) => state !== 'bad' && state !== 'away').length;
        const result = judge(found);
        if (answers >= readQuorum) {
          if (result !== NEW) expect.fail(`${found.join(' ')} gave ${JSON.stringify(result)}`);
          continue;
        }
        refused++;
        const code = found.includes('bad') ? 'META_DAMAGED' : 'TOO_FEW_DISKS_TO_READ';
        if (result !== code) expect.fail(`${found.join(' ')} gave ${JSON.stringify(result)} and not ${code}`);
      }
      expect(visited).toBeGreaterThan(2);
      expect(refused).toBeGreaterThan(0);
    },
  );

  it('with 5 disks: the same, for every number of disks in every state', () => {
    let visited = 0;
    for (const states of combinations(
      CASES.map((_, index) => index),
      5,
    )) {
      // The order of the disks plays no part with four of them, so here each choice is visited in one order.
      if (states.some((state, index) => index > 0 && state < (states[index - 1] ?? 0))) continue;
      const disks = states.flatMap((state) => CASES[state] ?? []);
      if (disks.filter(({ took }) => took).length < 3) continue;
      visited++;
      const found = disks.map((disk) => disk.found);
      const answers = found.filter((state) => state !== 'bad' && state !== 'away').length;
      const expected = answers >= 3 ? NEW : found.includes('bad') ? 'META_DAMAGED' : 'TOO_FEW_DISKS_TO_READ';
      if (judge(found) !== expected) expect.fail(`${found.join(' ')} gave ${JSON.stringify(judge(found))}`);
    }
    expect(visited).toBeGreaterThan(100);
  });

  it('is that there is none, where R disks say so', () => {
    expect(judge(['absent', 'absent', 'absent'])).toBeUndefined();
    expect(judge(['absent', 'absent', 'bad'])).toBeUndefined();
    expect(judge(['absent', 'away', 'absent'])).toBeUndefined();
    expect(judge(['other', 'other', 'absent'])).toBeUndefined();
  });

  it('is what one disk says, where a stale answer is allowed and one disk is all that answers', () => {
    expect(judge(['old', 'away', 'away'], true)).toBe(OLD);
    expect(judge(['old', 'new', 'away'], true)).toBe(NEW);
    expect(judge(['old', 'bad', 'bad'], true)).toBe(OLD);
    expect(judge(['absent', 'away', 'away'], true)).toBeUndefined();
    expect(judge(['away', 'away', 'away'], true)).toBe('TOO_FEW_DISKS_TO_READ');
    expect(judge(['bad', 'away', 'away'], true)).toBe('META_DAMAGED');
  });

  it('is refused with the error of the disk behind it where disks fail to read, because then nobody knows what they hold', () => {
    const disks = [new MemoryDisk('memory1'), new MemoryDisk('memory2')];
    const error = new StoreError('DISK_IO', 'disk "memory1" failed', { disk: 'memory1', errno: 'EIO' });
    const copies = disks.map((disk): Copy<VersionedDocument> => ({ disk, state: 'bad', error, bytes: undefined }));
    expect(() => agreedDocument(new DiskSet(disks), copies, false)).toThrow(
      expect.objectContaining({
        code: 'TOO_FEW_DISKS_TO_READ',
        details: { disk: 'memory1', errno: 'EIO', expected: 1, found: 0 },
        cause: error,
      }),
    );
  });

  it('is refused, stale or not, where a damaged copy may have been the only one', () => {
    expect(judge(['absent', 'bad', 'bad'], true)).toBe('META_DAMAGED');
    expect(judge(['absent', 'bad', 'bad'])).toBe('META_DAMAGED');
  });
});

describe('what disks agree on while some of them join', () => {
  const disks = ['memory0', 'memory1', 'memory2'].map((name) => new MemoryDisk(name));

  function judgeWith(role: DiskRole, found: readonly Exclude<Found, 'away'>[], allowStale = false): unknown {
    const set = new DiskSet(disks, new Map([['memory2', role]]));
    const copies = found.flatMap((state, index) => (disks[index] === undefined ? [] : [COPIES[state](disks[index])]));
    try {
      return agreedDocument(set, copies, allowStale);
    } catch (error) {
      if (isStoreError(error)) return error.code;
      throw error;
    }
  }

  it('is not what a joining disk does not have: its silence is no answer', () => {
    expect(judgeWith('joining', ['absent', 'bad', 'absent'])).toBe('META_DAMAGED');
    expect(judgeWith('joining', ['absent', 'absent', 'absent'])).toBeUndefined();
    expect(judgeWith('draining', ['absent', 'bad', 'absent'])).toBeUndefined();
  });

  it('is what a joining disk has, where enough others answer: it may have taken the last write', () => {
    expect(judgeWith('joining', ['old', 'absent', 'new'])).toBe(NEW);
    expect(judgeWith('joining', ['old', 'new', 'old'])).toBe(NEW);
  });

  it('is not what a joining disk has, where too few others answer: one of them may have something newer', () => {
    expect(judgeWith('joining', ['old', 'bad', 'new'])).toBe('META_DAMAGED');
    expect(judgeWith('draining', ['old', 'bad', 'new'])).toBe(NEW);
  });

  it('is what a joining disk has, where a stale answer is allowed', () => {
    expect(judgeWith('joining', ['bad', 'bad', 'new'], true)).toBe(NEW);
  });

  it.each([1, 2, 3, 4])(
    'with %i disks, any of them joining: what W of them took is found or refused, never something older or nothing',
    (count) => {
      const set = (joining: readonly boolean[]): DiskSet => {
        const all = joining.map((_, index) => new MemoryDisk(`memory${index}`));
        return new DiskSet(
          all,
          new Map(joining.flatMap((isJoining, index) => (isJoining ? [[`memory${index}`, 'joining' as const]] : []))),
        );
      };
      let found = 0;
      let refused = 0;
      for (const joining of combinations([false, true], count)) {
        const members = set(joining);
        for (const states of combinations(CASES, count)) {
          if (states.filter(({ took }) => took).length < members.writeQuorum) continue;
          const copies = states.flatMap((state, index) => {
            const disk = members.disks[index];
            return disk === undefined || state.found === 'away' ? [] : [COPIES[state.found](disk)];
          });
          try {
            const document = agreedDocument(members, copies, false);
            found++;
            if (document !== NEW)
              expect.fail(`${JSON.stringify(joining)} ${JSON.stringify(states)} gave ${JSON.stringify(document)}`);
          } catch (error) {
            if (!isStoreError(error)) throw error;
            refused++;
          }
        }
      }
      expect(found).toBeGreaterThan(0);
      expect(refused).toBeGreaterThan(0);
    },
  );
});

/** Revisions, the earliest first. */
const R = ['1', '2', '9', 'a'].map((digit) => `0199aaaa-0000-7000-8000-00000000000${digit}`);

describe('the newest of copies of one version', () => {
  const copyOf = (version: string, revision?: string): Copy<VersionedDocument> => ({
    disk: new MemoryDisk(`of revision ${revision ?? 'none'}`),
    state: 'valid',
    document: { format: FORMAT, version, checksum: '', ...(revision === undefined ? {} : { revision }) },
    bytes: Buffer.alloc(0),
  });

  it('is the one with the latest revision, and one without is the oldest', () => {
    const copies = [copyOf(VERSION), copyOf(VERSION, R[1]), copyOf(VERSION, R[3]), copyOf(VERSION, R[2])];
    for (const order of [copies, [...copies].reverse()])
      expect(newestCopy(order)?.document).toMatchObject({ revision: R[3] });
    expect(newestCopy([copyOf(VERSION), copyOf(VERSION, R[0])])?.document.revision).toBe(R[0]);
  });

  it('is of the later version, whatever the revisions of the one before', () => {
    expect(newestCopy([copyOf(VERSION, R[3]), copyOf(LATER)])?.document.version).toBe(LATER);
    expect(newestCopy([copyOf(LATER), copyOf(VERSION, R[3])])?.document.version).toBe(LATER);
  });

  it('is the one that disks agree on', () => {
    const copies = [copyOf(VERSION), copyOf(VERSION, R[0]), copyOf(VERSION)];
    const set = new DiskSet(copies.map(({ disk }) => disk));
    expect(agreedDocument(set, copies, false)).toMatchObject({ revision: R[0] });
  });
});

describe('the age of documents', () => {
  const documentOf = (version: string, revision?: string): VersionedDocument => ({
    format: FORMAT,
    version,
    checksum: '',
    ...(revision === undefined ? {} : { revision }),
  });
  const inOrder = [
    documentOf(VERSION),
    ...R.map((revision) => documentOf(VERSION, revision)),
    documentOf(LATER),
    documentOf(LATER, R[0]),
  ];

  it('orders them by version and then by revision, both ways alike', () => {
    inOrder.forEach((a, i) => {
      inOrder.forEach((b, j) => {
        expect(Math.sign(compareAge(a, b))).toBe(Math.sign(i - j));
      });
    });
  });
});
