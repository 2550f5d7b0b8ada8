import { describe, expect, it } from 'vitest';
import { isStoreError } from '../../src/errors.ts';
import { formatDocument, parseDocument, seal } from '../../src/metadata/document.ts';
import { isTombstone, metaSchema, uploadIds, type Meta, type ParityEntry } from '../../src/metadata/meta.ts';
import { chunkFile, parityFile } from '../../src/metadata/shard-file.ts';
import { entryOf, LATER, objectMeta, tombstone, VERSION } from './sample-meta.ts';

const OTHER = '01990000-0000-7000-8000-0000000000ff';

/** Where chunk 1 may be. */
const FILE = chunkFile(VERSION, 1);

/** Reads a meta that says what `change` makes of a good one, with a right checksum. */
function read(base: object, change: (content: Record<string, unknown>) => void): Meta {
  const { checksum, ...content } = structuredClone(base) as Record<string, unknown>;
  expect(checksum).toBeTypeOf('string');
  change(content);
  return parseDocument(Buffer.from(formatDocument(seal(content))), metaSchema, { path: 'meta' });
}

function refusal(base: object, change: (content: Record<string, unknown>) => void): string {
  try {
    read(base, change);
  } catch (error) {
    if (isStoreError(error)) return error.code;
    throw error;
  }
  return 'accepted';
}

/** Row `row` of the parity of the chunks of a good meta, which have 5, 5 and 3 bytes. */
function parity(protects: number[], row: number): ParityEntry {
  const size = Math.max(0, ...protects.map((order) => [5, 5, 3][order] ?? 5));
  // A good name even where the numbers are not: each must be refused for what is wrong with it.
  const [order = 0, number = 0] = [protects[0] ?? 0, row].map((value) => Math.trunc(Math.abs(value)));
  const file = parityFile(VERSION, order, number);
  return { protects, row, disk: 'disk1', file, size, sha256: 'a'.repeat(64) };
}

/** A change of the entry of the second chunk. */
function chunk(changes: Record<string, unknown>): (content: Record<string, unknown>) => void {
  return (content) => {
    const chunks = content['chunks'] as Record<string, unknown>[];
    chunks[1] = { ...chunks[1], ...changes };
  };
}

describe('a meta', () => {
  it('of an object is told from a tombstone', () => {
    expect(isTombstone(read(objectMeta(), () => undefined))).toBe(false);
    expect(isTombstone(read(tombstone(), () => undefined))).toBe(true);
  });

  it('may have chunks of different sizes', () => {
    const chunks = [Buffer.alloc(1), Buffer.alloc(700), Buffer.alloc(3)].map((bytes, order) => entryOf(order, bytes));
    expect(read(objectMeta({ size: 704, chunks }), () => undefined)).toMatchObject({ size: 704 });
  });

  it('may have chunks of several uploads, in any order, and knows the ids that lock them', () => {
    expect(uploadIds(objectMeta())).toEqual([VERSION]);
    const meta = read(objectMeta(), (content) => {
      chunk({ file: chunkFile(LATER, 999_999) })(content);
      content['parity'] = [{ ...parity([0, 1, 2], 0), file: parityFile(OTHER, 7, 30) }];
    });
    expect(isTombstone(meta) ? [] : uploadIds(meta).sort()).toEqual([VERSION, LATER, OTHER].sort());
  });

  it('of no bytes has no chunks, and no upload', () => {
    const meta = read(objectMeta({ size: 0, chunks: [] }), () => undefined);
    expect(isTombstone(meta) ? ['a tombstone'] : uploadIds(meta)).toEqual([]);
  });

  it.each([
    ['of one stripe of two chunks, and none for the third', [parity([0, 1], 0)]],
    ['of two rows', [parity([0, 1], 0), parity([0, 1], 1), parity([2], 0), parity([2], 1)]],
    ['of all chunks in one stripe', [parity([0, 1, 2], 0)]],
    ['of stripes of one chunk each', [parity([0], 0), parity([1], 0), parity([2], 0)]],
    ['in any order', [parity([2], 1), parity([0, 1], 1), parity([2], 0), parity([0, 1], 0)]],
    ['with a row lacking', [parity([0, 1], 1), parity([2], 0)]],
    ['for chunks at the end alone', [parity([1, 2], 0)]],
    ['up to the last row that a stripe of three chunks can have', [parity([0, 1, 2], 28)]],
  ] satisfies [string, ParityEntry[]][])('may have parity %s', (_, entries) => {
    expect(read(objectMeta({ redundancy: '2+1', parity: entries }), () => undefined)).toMatchObject({
      redundancy: '2+1',
      parity: entries,
    });
  });

  it.each([
    ['protects nothing', [parity([], 0)]],
    ['protects chunks that are not there', [parity([2, 3], 0)]],
    ['protects a chunk beyond all others', [parity([1000], 0)]],
    ['protects chunks that are not next to one another', [parity([0, 2], 0)]],
    ['protects chunks in the wrong order', [parity([1, 0], 0)]],
    ['protects a chunk twice', [parity([0, 0], 0)]],
    ['protects half a chunk', [parity([0.5], 0)]],
    ['protects a chunk below the first', [parity([-1, 0], 0)]],
    ['protects a chunk that is text', [{ ...parity([0], 0), protects: ['0'] }]],
    [
      'protects more chunks than a stripe has',
      [
        parity(
          Array.from({ length: 33 }, (__, order) => order),
          0,
        ),
      ],
    ],
    ['has stripes that share a chunk', [parity([0, 1], 0), parity([1, 2], 0)]],
    ['has stripes that share a chunk, the later one first', [parity([1, 2], 0), parity([0, 1], 0)]],
    ['has rows of one stripe that protect more and less', [parity([0, 1], 0), parity([0, 1, 2], 1)]],
    ['has rows of one stripe that protect less and more', [parity([0, 1, 2], 0), parity([0, 1], 1)]],
    ['has a stripe inside of another', [parity([0, 1, 2], 0), parity([1], 0)]],
    ['has a row twice', [parity([0, 1], 0), { ...parity([0, 1], 0), disk: 'disk3' }]],
    ['has the file of other parity', [parity([0, 1], 0), { ...parity([0, 1], 1), file: parityFile(VERSION, 0, 0) }]],
    ['has the file of a chunk on another disk', [{ ...parity([0, 1], 0), disk: 'disk9', file: chunkFile(VERSION, 1) }]],
    ['has a negative row', [parity([0, 1], -1)]],
    ['has half a row', [parity([0, 1], 0.5)]],
    ['has a row beyond all stripes', [parity([0, 1], 32)]],
    ['has a row beyond those of a stripe of so many chunks', [parity([0, 1, 2], 29)]],
    ['is shorter than the longest chunk', [{ ...parity([0, 1], 0), size: 4 }]],
    ['is longer than the longest chunk', [{ ...parity([0, 1], 0), size: 6 }]],
    ['is as long as a chunk that is not the longest', [{ ...parity([1, 2], 0), size: 3 }]],
    ['is larger than any chunk may be', [{ ...parity([0, 1], 0), size: 65 * 1024 * 1024 }]],
    ['has no SHA-256', [{ ...parity([0, 1], 0), sha256: 'no' }]],
    ['has no row', [(({ row, ...rest }) => ({ ...rest, was: row }))(parity([0, 1], 0))]],
    ['lies on a disk that leads up', [{ ...parity([0, 1], 0), disk: '..' }]],
    ['lies in a file that leads up', [{ ...parity([0, 1], 0), file: `../${parityFile(VERSION, 0, 0)}` }]],
    ['lies in a file that is a path', [{ ...parity([0, 1], 0), file: `${parityFile(VERSION, 0, 0)}/x` }]],
    ['lies in a file whose row is none', [{ ...parity([0, 1], 0), file: parityFile(VERSION, 0, 0).slice(0, -1) }]],
    ['lies in a file that was set aside', [{ ...parity([0, 1], 0), file: `${parityFile(VERSION, 0, 0)}.corrupt` }]],
    ['is no list', parity([0, 1], 0)],
    ['is not there at all', undefined],
  ] satisfies [string, unknown][])('whose parity %s is refused, although its checksum is right', (_, entries) => {
    expect(refusal(objectMeta({ redundancy: '2+1' }), (content) => (content['parity'] = entries))).toBe('META_DAMAGED');
  });

  it.each(['1+0', '1+31', '32+0', '4+2'])('may have the redundancy %s', (redundancy) => {
    expect(read(objectMeta({ redundancy }), () => undefined)).toMatchObject({ redundancy });
  });

  it('may have a revision, and has none where nothing was ever moved', () => {
    expect(read(objectMeta({ revision: VERSION }), () => undefined)).toMatchObject({ revision: VERSION });
    expect(read(objectMeta(), () => undefined)).not.toHaveProperty('revision');
  });

  it('keeps members that a later program added, at every level', () => {
    const meta = read(objectMeta(), (content) => {
      content['tags'] = { colour: 'blue' };
      (content['chunks'] as Record<string, unknown>[])[0] = { ...(content['chunks'] as object[])[0], note: 'kept' };
    });
    expect(meta).toMatchObject({ tags: { colour: 'blue' }, chunks: [{ note: 'kept' }, {}, {}] });
    expect(read(tombstone(), (content) => (content['by'] = 'somebody'))).toMatchObject({
      deleted: true,
      by: 'somebody',
    });
  });

  it.each([
    ['a disk that leads up', chunk({ disk: '../x' })],
    ['a disk that is a path', chunk({ disk: 'disk1/chunks' })],
    ['an absolute disk', chunk({ disk: '/etc' })],
    ['a disk named ..', chunk({ disk: '..' })],
    ['a disk named as the store', chunk({ disk: 'store.json' })],
    ['an empty disk', chunk({ disk: '' })],
    ['a disk with a zero byte', chunk({ disk: 'disk1\u0000' })],
    ['a file that leads up', chunk({ file: '../../x' })],
    ['a file that leads up and looks right', chunk({ file: `../${FILE}` })],
    ['a file that leads up and down again', chunk({ file: FILE.replace('chunks/', 'chunks/../chunks/') })],
    ['a file with a dot in its path', chunk({ file: FILE.replace('chunks/', 'chunks/./') })],
    ['a file in another folder', chunk({ file: FILE.replace('chunks/', 'buckets/') })],
    ['a file in a folder named as the disk', chunk({ file: `disk1/${FILE}` })],
    ['a file in no fan-out folder', chunk({ file: FILE.replace('/01/', '/') })],
    ['a file in the fan-out folder of another upload', chunk({ file: FILE.replace('/01/', '/02/') })],
    ['a file in a fan-out folder in capitals', chunk({ file: chunkFile(`${VERSION.slice(0, -2)}AB`, 1) })],
    ['a file in a fan-out folder that leads up', chunk({ file: FILE.replace('/01/', '/../') })],
    ['a file that is a folder', chunk({ file: 'chunks/01' })],
    ['a file that ends in a slash', chunk({ file: `${FILE}/` })],
    ['a file that has been set aside', chunk({ file: `${FILE}.corrupt` })],
    ['an absolute file that looks right', chunk({ file: `/${FILE}` })],
    ['a file of no upload', chunk({ file: chunkFile('9b2f1c1e-6a4e-4f57-9c0e-3b8e6f0f9b11', 1) })],
    ['a file of an upload of a time to come', chunk({ file: chunkFile('ffffffff-ffff-7fff-bfff-ffffffffffff', 1) })],
    ['a file of a name only', chunk({ file: '000001.chunk' })],
    ['an absolute file', chunk({ file: '/etc/passwd' })],
    ['a file with a path behind it', chunk({ file: `${FILE}/../../x` })],
    ['a file with a line end behind it', chunk({ file: `${FILE}\n` })],
    ['a file that is no chunk', chunk({ file: 'disk.json' })],
    ['a file of five digits', chunk({ file: FILE.replace('.000001.', '.00001.') })],
    ['a file of seven digits', chunk({ file: FILE.replace('.000001.', '.0000001.') })],
    ['chunks in the wrong order', (content) => (content['chunks'] as unknown[]).reverse()],
    ['a chunk left out', (content) => (content['chunks'] as unknown[]).splice(1, 1)],
    ['an order twice', chunk({ order: 0 })],
    [
      'a size of 0 beside a checksum of more',
      (content) => {
        chunk({ size: 0 })(content);
        content['size'] = 8;
      },
    ],
    ['two chunks with one file on one disk', chunk({ disk: 'disk1', file: chunkFile(VERSION, 0) })],
    ['two chunks with one file on two disks', chunk({ disk: 'disk2', file: chunkFile(VERSION, 0) })],
    ['a negative size', chunk({ size: -5 })],
    ['half a byte', chunk({ size: 4.5 })],
    ['a size as text', chunk({ size: '5' })],
    ['sizes that add up to more', (content) => (content['size'] = 12)],
    ['sizes that add up to less', (content) => (content['size'] = 14)],
    ['no SHA-256', chunk({ sha256: '' })],
    ['a SHA-256 in capitals', chunk({ sha256: 'A'.repeat(64) })],
    ['a SHA-256 that is too long', chunk({ sha256: 'a'.repeat(65) })],
    ['a version that is no UUIDv7', (content) => (content['version'] = 'latest')],
    [
      'a version of a time to come that nothing could follow',
      (content) => (content['version'] = 'ffffffff-ffff-7fff-bfff-ffffffffffff'),
    ],
    ['a time that is none', (content) => (content['createdAt'] = 'yesterday')],
    ['no key', (content) => delete content['key']],
    ['a redundancy that is none', (content) => (content['redundancy'] = 'lots')],
    ['a redundancy of too many shards', (content) => (content['redundancy'] = '31+2')],
    ['no redundancy', (content) => delete content['redundancy']],
    ['a revision that is a number', (content) => (content['revision'] = 1)],
    ['an empty revision', (content) => (content['revision'] = '')],
    ['a revision that is no UUIDv7', (content) => (content['revision'] = '9b2f1c1e-6a4e-4f57-9c0e-3b8e6f0f9b11')],
    [
      'parity outside',
      (content) => {
        content['parity'] = [
          { protects: [0], row: 0, disk: '..', file: parityFile(VERSION, 0, 0), size: 5, sha256: 'a'.repeat(64) },
        ];
      },
    ],
    [
      'parity in a file that is none',
      (content) => {
        content['parity'] = [
          {
            protects: [0],
            row: 0,
            disk: 'disk1',
            file: `../${parityFile(VERSION, 0, 0)}`,
            size: 5,
            sha256: 'a'.repeat(64),
          },
        ];
      },
    ],
  ] satisfies [string, (content: Record<string, unknown>) => void][])(
    'that has %s is refused, although its checksum is right',
    (_, change) => {
      expect(refusal(objectMeta(), change)).toBe('META_DAMAGED');
    },
  );

  it('that says deleted, but not that it is true, is no tombstone', () => {
    expect(refusal(tombstone(), (content) => (content['deleted'] = false))).toBe('META_DAMAGED');
    expect(refusal(tombstone(), (content) => delete content['deleted'])).toBe('META_DAMAGED');
  });

  it('of an object that says that it is not deleted is an object', () => {
    const meta = read(objectMeta(), (content) => (content['deleted'] = false));
    expect(isTombstone(meta)).toBe(false);
  });
});
