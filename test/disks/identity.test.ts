import { describe, expect, it } from 'vitest';
import { formatDiskMark, compareDiskMark, readDiskMark } from '../../src/disks/identity.ts';
import { identityOf } from './make-disks.ts';

const identity = identityOf(1);

describe('the mark of a disk', () => {
  it('is JSON with the members that the format names, in their order', () => {
    const text = formatDiskMark(identity);
    expect(Object.entries(JSON.parse(text) as object)).toEqual([
      ['format', 1],
      ['store', identity.storeId],
      ['name', 'disk1'],
      ['id', identity.id],
    ]);
    expect(text.endsWith('}\n')).toBe(true);
  });

  it('is recognised by the disk that wrote it, also with members that a later program added', () => {
    expect(compareDiskMark(formatDiskMark(identity), identity).status).toBe('online');
    const later = formatDiskMark(identity).replace('"format": 1,', '"format": 1, "room": 5,');
    expect(compareDiskMark(later, identity).status).toBe('online');
  });

  it.each(['', '{', 'null', '[]', '"text"', '{}', '{"format":1}', '{"format":1,"store":"x","name":"disk1","id":"y"}'])(
    'that reads %j is unreadable',
    (text) => {
      expect(compareDiskMark(text, identity).status).toBe('unreadable');
    },
  );

  it('says what it is of, whatever disk is expected, and nothing where it cannot be understood', () => {
    expect(readDiskMark(formatDiskMark(identity))).toEqual(identity);
    expect(readDiskMark(formatDiskMark(identityOf(2)))).toEqual(identityOf(2));
    for (const text of [
      '',
      '{',
      'null',
      '{}',
      '{"format":1}',
      formatDiskMark(identity).replace('"format": 1', '"format": 2'),
    ]) {
      expect(readDiskMark(text)).toBeUndefined();
    }
  });

  it('of another store is foreign even where name and id are the same', () => {
    const mark = formatDiskMark({ ...identity, storeId: '33333333-3333-4333-8333-333333333333' });
    expect(compareDiskMark(mark, identity).status).toBe('foreign');
  });

  it('names the disk that it is of when disks are swapped', () => {
    const state = compareDiskMark(formatDiskMark(identityOf(2)), identity);
    expect(state.status).toBe('swapped');
    expect(state.reason).toContain('"disk2"');
  });
});
