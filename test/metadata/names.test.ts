import { describe, expect, it } from 'vitest';
import { checkBucketName, checkDiskName, checkKey, compareUtf8, isDiskName } from '../../src/metadata/names.ts';
import { anyKey, fc, keyPair } from './property.ts';

describe('the name of a bucket', () => {
  it.each([
    'abc',
    'a-b',
    'a.b',
    '123',
    'my-bucket',
    'a'.repeat(63),
    '1.2.3',
    '1.2.3.4.5',
    '192.168.5.four',
    '0ab',
    'a--b',
  ])('may be %j', (name) => {
    expect(() => {
      checkBucketName(name);
    }).not.toThrow();
  });

  it.each([
    '',
    'a',
    'ab',
    'a'.repeat(64),
    'Abc',
    'aBc',
    'a_b',
    'a b',
    ' abc',
    'abc ',
    'abc\n',
    '\nabc',
    '-abc',
    'abc-',
    '.abc',
    'abc.',
    'a..b',
    '...',
    '../x',
    'a/b',
    'a\\b',
    '192.168.5.4',
    '0.0.0.0',
    'äbc',
    'abc\u0000',
    'a:b',
    'a%b',
    'ſabc',
    'ab\u0130',
  ])('may not be %j', (name) => {
    expect(() => {
      checkBucketName(name);
    }).toThrow(expect.objectContaining({ code: 'BAD_BUCKET_NAME', details: { bucket: name } }));
  });
});

describe('a key', () => {
  it.each([
    'a',
    '/',
    '.',
    '..',
    '../..',
    ' ',
    '\u0000',
    '\n',
    '-',
    '%',
    'a/b',
    'x'.repeat(1024),
    'é'.repeat(512),
    '漢'.repeat(341),
    '😀'.repeat(256),
    '\ufffd',
  ])('may be %j', (key) => {
    expect(() => {
      checkKey(key);
    }).not.toThrow();
  });

  it.each([
    ['empty', ''],
    ['1,025 bytes long', 'x'.repeat(1025)],
    ['1,026 bytes long in 513 characters', 'é'.repeat(513)],
    ['1,026 bytes long in 342 characters', '漢'.repeat(342)],
    ['1,028 bytes long in 257 characters', '😀'.repeat(257)],
    ['half of a surrogate pair', '\ud83d'],
    ['the other half of a surrogate pair', 'a\ude00b'],
    ['the halves of a pair in the wrong order', '\ude00\ud83d'],
  ])('may not be %s', (_, key) => {
    expect(() => {
      checkKey(key);
    }).toThrow(expect.objectContaining({ code: 'BAD_KEY', details: { key } }));
  });

  it('is shown shortened in its error', () => {
    expect(() => {
      checkKey('x'.repeat(100_000));
    }).toThrow(/^bad key "x{60}…": it has 100000 bytes, at most 1024 are allowed$/);
  });
});

describe('the name of a disk', () => {
  it.each(['disk1', 'd', 'D', '0', 'a.b', 'a_b', 'a-b', 'x'.repeat(63), 'store', 'disk.json'])('may be %j', (name) => {
    expect(isDiskName(name)).toBe(true);
    expect(() => {
      checkDiskName(name);
    }).not.toThrow();
  });

  it.each([
    '',
    '.',
    '..',
    '../x',
    'a/b',
    '/a',
    'a\\b',
    '-a',
    '_a',
    '.a',
    'a b',
    'a\n',
    'a\u0000',
    'é',
    'ſ',
    '\u212a',
    'x'.repeat(64),
    'store.json',
    'Store.JSON',
    "a'b",
    'a$b',
    'a;b',
    '*',
  ])('may not be %j', (name) => {
    expect(isDiskName(name)).toBe(false);
    expect(() => {
      checkDiskName(name);
    }).toThrow(expect.objectContaining({ code: 'BAD_DISK_NAME', details: { disk: name } }));
  });
});

describe('the order of keys', () => {
  it('is the order of their bytes in UTF-8', () => {
    const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
    fc.assert(
      fc.property(fc.oneof(keyPair, fc.tuple(anyKey, anyKey)), ([a, b]) => {
        expect(Math.sign(compareUtf8(a, b))).toBe(byBytes(a, b));
        expect(Math.sign(compareUtf8(a, a))).toBe(0);
      }),
      { numRuns: 2000 },
    );
    const edges = [
      '',
      'a',
      'a/',
      'a/b',
      'a0',
      '\u007f',
      '\u0080',
      '\u07ff',
      '\u0800',
      '\ud7ff',
      '\ue000',
      '\uffff',
      '\u{10000}',
      '\u{10ffff}',
      'a\u{10000}',
      'a\uffff',
    ];
    for (const a of edges) for (const b of edges) expect(Math.sign(compareUtf8(a, b))).toBe(byBytes(a, b));
  });
});
