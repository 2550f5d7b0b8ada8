import * as path from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ObjectStore } from '../../../src/index.ts';
import { failure, keysOf, newStore, objectFiles, property, read, tree } from '../../support/store.ts';
import { tempFolder } from '../../support/temp.ts';

const byUtf8 = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** What keys are made of: everything that some layer might take for something else. */
const piece = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
  {
    weight: 2,
    arbitrary: fc.string({
      unit: fc.constantFrom(' ', '%', '-', '.', '/', '\0', '\n', '\x7f', '\\', ':', '*', '?', '"', '~'),
      maxLength: 8,
    }),
  },
  { weight: 2, arbitrary: fc.string({ unit: fc.constantFrom('a', 'b', '%2F', '%', '.meta.json', '/'), maxLength: 6 }) },
  fc.constantFrom(
    '..',
    '.',
    '/../',
    '//',
    '/./',
    '🪣',
    '👩‍👩‍👧',
    'é',
    'e\u0301',
    '\ufeff',
    '\ufffd',
    '.bucket.json',
    'tmp',
    'CON',
    'nul',
    '%.meta.json',
  ),
  fc
    .tuple(fc.constantFrom('x', ' ', '.', '%', '\x01', 'ä', '🪣'), fc.integer({ min: 150, max: 420 }))
    .map(([unit, count]) => unit.repeat(count)),
);

/** Cuts a text to a key: at most 1,024 bytes of UTF-8. */
function asKey(text: string): string {
  let bytes = 0;
  let key = '';
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > 1024) break;
    key += character;
  }
  return key;
}

const anyKey = fc
  .array(piece, { minLength: 1, maxLength: 5 })
  .map((pieces) => asKey(pieces.join('')))
  .filter((key) => key !== '');

const family = [
  'a',
  'a/b',
  'a.meta.json/b',
  'a.meta.json',
  'a/',
  'a//',
  'a/b/',
  'a.b',
  'a%2Fb',
  'A.META.JSON/b',
  'a.meta.json.meta.json',
];

/** Keys side by side, where one may be another's folder, prefix or encoded form. */
const keySet = fc
  .tuple(
    fc.uniqueArray(anyKey, { maxLength: 6 }),
    fc.subarray(family),
    fc.array(fc.tuple(fc.constantFrom('/', '.', '%', '.meta.json', 'x'), fc.nat(5)), { maxLength: 4 }),
  )
  .map(([keys, relatives, tails]) => {
    const derived = tails.flatMap(([tail, index]) =>
      keys[index] === undefined ? [] : [asKey(keys[index] + tail), asKey(keys[index] + tail + keys[index])],
    );
    return [...new Set([...keys, ...relatives, ...derived])];
  })
  .filter((keys) => keys.length > 0);

async function storeListReadDelete(store: ObjectStore, keys: string[]): Promise<void> {
  const before = tree(store.root);
  await store.createBucket('names');
  const content = (key: string): Buffer => Buffer.from(`content of ${key}`);
  for (const key of keys) await store.put('names', key, content(key));
  const listed: string[] = [];
  for await (const { key } of store.list('names')) listed.push(key);
  expect(listed).toEqual([...keys].sort(byUtf8));
  for (const key of keys) {
    const { meta, body } = await store.get('names', key);
    expect(meta.key).toBe(key);
    expect(Buffer.concat((await body.toArray()) as Buffer[]).toString()).toBe(content(key).toString());
  }
  for (const [index, key] of keys.entries()) {
    await store.delete('names', key);
    expect((await failure(store.head('names', key))).code).toBe('NO_SUCH_KEY');
    for (const other of keys.slice(index + 1)) expect((await store.head('names', other)).key).toBe(other);
  }
  await store.deleteBucket('names');
  expect(tree(store.root)).toEqual(before);
}

test('any set of keys is stored, listed in UTF-8 byte order, read back and deleted, and nothing of it stays on the disks', async () => {
  const store = await newStore(2);
  await fc.assert(
    fc.asyncProperty(keySet, (keys) => storeListReadDelete(store, keys)),
    property(60),
  );
});

test("the keys that are one another's folder or encoded form live side by side", async () => {
  await storeListReadDelete(await newStore(2), family);
});

test.each([
  ['1,024 bytes without a slash', 'k'.repeat(1024)],
  ['1,024 bytes of control characters', '\x01'.repeat(1024)],
  ['1,024 bytes of emoji', '🪣'.repeat(256)],
  ['1,024 slashes', '/'.repeat(1024)],
  ['512 times ../', '../'.repeat(341)],
  ['512 times a/', 'a/'.repeat(512)],
  ['1,024 dots', '.'.repeat(1024)],
  ['one NUL', '\0'],
  ['one space', ' '],
  ['one slash', '/'],
  ['two dots', '..'],
])('%s are a key like any other', async (_, key) => {
  await storeListReadDelete(await newStore(1), [key, 'beside']);
});

test('keys that differ in nothing but case, or in nothing but normalisation, are two objects or the second is refused as KEY_COLLISION', async () => {
  const store = await newStore();
  for (const [one, other] of [
    ['Key', 'kEY'],
    ['é', 'e\u0301'],
  ] as const) {
    await store.put('bucket', one, Buffer.from('one'));
    const refused = await store.put('bucket', other, Buffer.from('other')).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (refused === undefined) expect((await read(store, other)).toString()).toBe('other');
    else expect(refused).toMatchObject({ code: 'KEY_COLLISION' });
    expect((await read(store, one)).toString()).toBe('one');
  }
});

test.each([
  ['no bytes', ''],
  ['1,025 bytes', 'k'.repeat(1025)],
  ['1,025 bytes in fewer characters', `${'ä'.repeat(512)}x`],
  ['a lone surrogate', 'a\ud800b'],
  ['surrogates in the wrong order', '\udc00\ud800'],
])('a key of %s is BAD_KEY to every operation, and nothing is done', async (_, key) => {
  const store = await newStore();
  const before = tree(store.root);
  const file = path.join(tempFolder(), 'out');
  const operations = [
    store.put('bucket', key, Buffer.from('x')),
    store.get('bucket', key),
    store.getToFile('bucket', key, file),
    store.head('bucket', key),
    store.delete('bucket', key),
  ];
  for (const { code } of await Promise.all(operations.map(failure))) expect(code).toBe('BAD_KEY');
  expect(tree(store.root)).toEqual(before);
});

test.each([
  '',
  'ab',
  'x'.repeat(64),
  'Bucket',
  'my_bucket',
  '-bucket',
  'bucket-',
  '.bucket',
  'bucket.',
  'a..b',
  '..',
  '../x',
  'a/b',
  'a b',
  'bücket',
  '192.168.0.1',
  'bucket\n',
  'a\0b',
])('the bucket name %j is BAD_BUCKET_NAME to every operation, and nothing is done', async (bucket) => {
  const store = await newStore();
  const before = tree(store.root);
  const file = path.join(tempFolder(), 'out');
  const operations = [
    store.createBucket(bucket),
    store.ensureBucket(bucket),
    store.deleteBucket(bucket),
    store.put(bucket, 'key', Buffer.from('x')),
    store.get(bucket, 'key'),
    store.getToFile(bucket, 'key', file),
    store.head(bucket, 'key'),
    store.delete(bucket, 'key'),
    store.list(bucket).next(),
  ];
  for (const result of await Promise.all(operations.map(failure))) expect(result.code).toBe('BAD_BUCKET_NAME');
  expect(tree(store.root)).toEqual(before);
});

test.each(['abc', 'x'.repeat(63), 'my-bucket', 'a.b.c', '123', '1.2.3', 'a--b', '0.0.0.0.0'])(
  'the bucket name %j is fine',
  async (bucket) => {
    const store = await newStore(1);
    await store.createBucket(bucket);
    await store.put(bucket, 'key', Buffer.from('x'));
    expect((await store.listBuckets()).map((entry) => entry.bucket)).toEqual(['bucket', bucket].sort());
  },
);

test('listing in UTF-8 byte order differs from UTF-16 order, and the store keeps to the bytes', async () => {
  const store = await newStore(1);
  const keys = ['\uffff', '🪣', 'z', 'a/\uffff', 'a/🪣', 'a.', 'a', 'a0'];
  for (const key of keys) await store.put('bucket', key, Buffer.alloc(0));
  expect(await keysOf(store)).toEqual(['a', 'a.', 'a/\uffff', 'a/🪣', 'a0', 'z', '\uffff', '🪣']);
  expect(objectFiles(store).length).toBe(keys.length);
});
