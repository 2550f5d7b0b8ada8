import { describe, expect, it } from 'vitest';
import { MAX_SHARDS } from '../../src/erasure/shape.ts';
import { bucketSchema } from '../../src/metadata/bucket-document.ts';
import { formatDocument, parseDocument } from '../../src/metadata/document.ts';
import { checkRedundancy, DEFAULT_REDUNDANCY, isRedundancy, parseRedundancy } from '../../src/metadata/redundancy.ts';
import { fc } from './property.ts';
import { bucketDocument } from './sample-meta.ts';

describe('redundancy in words', () => {
  it.each([
    ['1+0', 1, 0],
    ['1+1', 1, 1],
    ['2+1', 2, 1],
    ['4+2', 4, 2],
    ['10+4', 10, 4],
    ['32+0', 32, 0],
    ['1+31', 1, 31],
    ['31+1', 31, 1],
    ['9+10', 9, 10],
  ])('%s is %i chunks and %i parity chunks a stripe', (text, data, parity) => {
    expect(parseRedundancy(text)).toEqual({ data, parity });
    expect(isRedundancy(text)).toBe(true);
  });

  it.each([
    '',
    '+',
    '1',
    '1+',
    '+1',
    '0+1',
    '0+0',
    '-1+1',
    '1+-1',
    '1+1+1',
    '01+1',
    '1+01',
    '1+00',
    '1.0+1',
    '1e0+1',
    '0x1+1',
    ' 1+1',
    '1+1 ',
    '1 + 1',
    '1+1\n',
    '\n1+1',
    '1-1',
    '1/1',
    '1x1',
    '1,1',
    '1\uff0b1',
    '\u0661+\u0661',
    '33+0',
    '32+1',
    '1+32',
    '16+17',
    '99+99',
    '100+1',
    '1+100',
    'k+m',
    'null',
    '4+2+0',
  ])('%j is refused', (text) => {
    expect(isRedundancy(text)).toBe(false);
    expect(() => parseRedundancy(text)).toThrow(
      expect.objectContaining({ name: 'StoreError', code: 'BAD_REDUNDANCY', details: { found: text } }),
    );
  });

  it('has one text for each pair of numbers that the code which computes parity can do, and no other', () => {
    let accepted = 0;
    for (let data = 0; data <= 40; data++) {
      for (let parity = 0; parity <= 40; parity++) {
        const text = `${data}+${parity}`;
        const fits = data >= 1 && data + parity <= MAX_SHARDS;
        expect(isRedundancy(text)).toBe(fits);
        if (fits) {
          accepted++;
          expect(parseRedundancy(text)).toEqual({ data, parity });
        }
      }
    }
    expect(accepted).toBe((MAX_SHARDS * (MAX_SHARDS + 1)) / 2);
  });

  it('is read as nothing else, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9+ -]{0,8}$/)), (text) => {
        if (!isRedundancy(text)) return;
        const { data, parity } = parseRedundancy(text);
        expect(`${data}+${parity}`).toBe(text);
      }),
      { numRuns: 1000 },
    );
  });

  it('is none where nobody says otherwise', () => {
    expect(parseRedundancy(DEFAULT_REDUNDANCY)).toEqual({ data: 1, parity: 0 });
  });
});

describe('redundancy on so many disks', () => {
  it.each([
    ['1+0', 1],
    ['1+1', 2],
    ['4+2', 6],
    ['4+2', 7],
    ['16+16', 32],
  ])('%s fits on %i', (text, disks) => {
    expect(checkRedundancy(text, disks)).toEqual(parseRedundancy(text));
  });

  it.each([
    ['1+0', 0, 1],
    ['1+1', 1, 2],
    ['4+2', 5, 6],
    ['16+16', 31, 32],
  ])('%s does not fit on %i, and says how many it needs', (text, disks, needed) => {
    expect(() => checkRedundancy(text, disks)).toThrow(
      expect.objectContaining({
        code: 'BAD_REDUNDANCY',
        message: `redundancy ${text} needs ${needed} disks; there are ${disks}`,
        details: { expected: needed, found: disks },
      }),
    );
  });

  it('is refused for its text first', () => {
    expect(() => checkRedundancy('lots', 3)).toThrow(
      expect.objectContaining({ code: 'BAD_REDUNDANCY', details: { found: 'lots' } }),
    );
  });
});

describe('the redundancy of a bucket', () => {
  const read = (redundancy: string | undefined): unknown =>
    parseDocument(
      Buffer.from(formatDocument(bucketDocument(redundancy === undefined ? {} : { redundancy }))),
      bucketSchema,
      {},
    );

  it('is kept, or not there, as it was written', () => {
    expect(read('4+2')).toMatchObject({ redundancy: '4+2' });
    expect(read(undefined)).not.toHaveProperty('redundancy');
  });

  it.each(['', 'lots', '0+1', '32+1'])('that reads %j is refused', (redundancy) => {
    expect(() => read(redundancy)).toThrow(expect.objectContaining({ code: 'META_DAMAGED' }));
  });
});
