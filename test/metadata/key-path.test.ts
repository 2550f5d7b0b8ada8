import { describe, expect, it } from 'vitest';
import { decodeComponent, keyToPath, prefixToFolder } from '../../src/metadata/key-path.ts';
import { checkKey } from '../../src/metadata/names.ts';
import { anyKey, fc, keyPair } from './property.ts';

const META = '.meta.json';

/** The key that a path stands for, decoded component by component as a listing does it. */
function pathToKey(path: readonly string[]): string | undefined {
  let key = '';
  let before = '';
  for (const [index, name] of path.entries()) {
    const isFolder = index < path.length - 1;
    const entry = decodeComponent(name, isFolder, before);
    if (entry === undefined || isFolder === (entry.kind === 'key')) return undefined;
    before = entry.kind === 'part' ? before + entry.text : '';
    if (entry.kind !== 'part') key += isFolder ? `${entry.text}/` : entry.text;
  }
  return key;
}

/** What is wrong with the path of a key, whatever the key; nothing ever should be. */
function faultsOf(key: string): string[] {
  const path = keyToPath(key);
  return path.flatMap((name, index) => {
    const isLast = index === path.length - 1;
    const rules = {
      'is too long for a file name': Buffer.byteLength(name) > 255,
      'is empty': name === '',
      'begins with a dot': name.startsWith('.'),
      'ends in a dot or space': /[. ]$/.test(name),
      // eslint-disable-next-line no-control-regex -- control characters are what must not be there
      'holds a character that some file system refuses': /[/\\:*?"<>|\u0000-\u001f\u007f]/.test(name),
      'is a folder that a file system which folds case takes for a meta': !isLast && /\.meta\.json$/i.test(name),
      'is no meta': isLast && !name.endsWith(META),
    };
    return Object.entries(rules).flatMap(([fault, found]) => (found ? [`${name} ${fault}`] : []));
  });
}

describe('the path of a key', () => {
  it('is safe, and decodes to the key, for any key', () => {
    fc.assert(
      fc.property(anyKey, (key) => {
        checkKey(key);
        expect(faultsOf(key)).toEqual([]);
        expect(pathToKey(keyToPath(key))).toBe(key);
      }),
      { numRuns: 2000 },
    );
  });

  it('is never the path of another key, nor does it lead through that of another key', () => {
    fc.assert(
      fc.property(keyPair, ([a, b]) => {
        fc.pre(a !== b);
        const [one, other] = [keyToPath(a), keyToPath(b)];
        const shorter = Math.min(one.length, other.length);
        expect(one.slice(0, shorter)).not.toEqual(other.slice(0, shorter));
      }),
      { numRuns: 2000 },
    );
  });

  it('differs by more than case from a folder on the way to another key, whatever the two are', () => {
    fc.assert(
      fc.property(keyPair, ([a, b]) => {
        const fold = (path: string[]): string => path.join('/').toUpperCase().toLowerCase();
        expect(
          `${fold(keyToPath(b))}/`.startsWith(`${fold(keyToPath(a))}/`) && keyToPath(b).length > keyToPath(a).length,
        ).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['plain', 'demo.txt', ['demo.txt.meta.json']],
    ['nested', 'photos/2026/a.jpg', ['photos', '2026', 'a.jpg.meta.json']],
    ['spaces inside', 'a b c', ['a b c.meta.json']],
    ['spaces at the ends', ' a ', [' a%20.meta.json']],
    ['a space alone as a folder', ' /a', ['%20', 'a.meta.json']],
    ['percent', '100%', ['100%25.meta.json']],
    ['what looks encoded', '%2E', ['%252E.meta.json']],
    ['a leading dash', '-rf', ['-rf.meta.json']],
    ['a leading dot', '.hidden', ['%2Ehidden.meta.json']],
    ['one dot', '.', ['%2E.meta.json']],
    ['two dots', '..', ['%2E%2E.meta.json']],
    ['the way out', '../../etc/passwd', ['%2E%2E', '%2E%2E', 'etc', 'passwd.meta.json']],
    ['dots in the middle', 'a/./b/../c', ['a', '%2E', 'b', '%2E%2E', 'c.meta.json']],
    ['a leading slash', '/a', ['%', 'a.meta.json']],
    ['a slash alone', '/', ['%', '%.meta.json']],
    ['two slashes', 'a//b', ['a', '%', 'b.meta.json']],
    ['a trailing slash', 'a/', ['a', '%.meta.json']],
    ['control characters', 'a\n\u0000\u007f', ['a%0A%00%7F.meta.json']],
    ['what Windows refuses', 'a\\b:c*d?e"f<g>h|i', ['a%5Cb%3Ac%2Ad%3Fe%22f%3Cg%3Eh%7Ci.meta.json']],
    ['emoji', '😀/👩‍👩‍👧', ['😀', '👩‍👩‍👧.meta.json']],
    ['the name of a meta', 'a.meta.json', ['a.meta.json.meta.json']],
    ['a folder named as a meta', 'a.meta.json/b', ['a%2Emeta.json', 'b.meta.json']],
    ['a folder named as a meta in capitals', 'A.META.JSON/b', ['A%2EMETA.JSON', 'b.meta.json']],
    ['a folder that is only the suffix', '.meta.json/b', ['%2Emeta.json', 'b.meta.json']],
    ["the name of the bucket's document", '.bucket.json', ['%2Ebucket.json.meta.json']],
    ["a folder with the name of the bucket's document", '.bucket.json/a', ['%2Ebucket.json', 'a.meta.json']],
    ['a trailing dot', 'a./b.', ['a%2E', 'b%2E.meta.json']],
  ])('keeps %s in sight', (_, key, path) => {
    expect(keyToPath(key)).toEqual(path);
    expect(faultsOf(key)).toEqual([]);
    expect(pathToKey(path)).toBe(key);
  });

  it.each([
    ['1,024 bytes without a slash', 'x'.repeat(1024)],
    ['1,024 slashes', '/'.repeat(1024)],
    ['1,024 dots', '.'.repeat(1024)],
    ['1,024 percent signs', '%'.repeat(1024)],
    ['1,024 spaces', ' '.repeat(1024)],
    ['1,024 zero bytes', '\u0000'.repeat(1024)],
    ['256 emoji', '😀'.repeat(256)],
    ['341 characters of three bytes', '漢'.repeat(341)],
    ['a long folder and a long name', `${'f'.repeat(500)}/${'n'.repeat(523)}`],
    ['a long folder named as a meta', `${'f'.repeat(500)}.meta.json/a`],
    ...Array.from({ length: 12 }, (_, index) => [
      `a dot ${index + 194} bytes in, next to the cut`,
      `${'x'.repeat(194 + index)}.y/z`,
    ]),
    ...Array.from({ length: 12 }, (_, index) => [
      `a meta's suffix ${index + 189} bytes in, at the cut`,
      `${'x'.repeat(189 + index)}.meta.json/z`,
    ]),
    ...Array.from({ length: 12 }, (_, index) => [
      `spaces ${index + 194} bytes in, next to the cut`,
      `${'x'.repeat(194 + index)}   `,
    ]),
  ])('holds %s', (_, key = '') => {
    checkKey(key);
    expect(faultsOf(key)).toEqual([]);
    expect(pathToKey(keyToPath(key))).toBe(key);
  });

  it('keeps neighbours apart that naive encodings mix up', () => {
    const keys = [
      'a',
      'a/',
      'a/b',
      'a//b',
      '/a',
      'a.meta.json',
      'a.meta.json/b',
      'A.meta.json/b',
      'a%2Emeta.json/b',
      '%',
      '%25',
      '/',
      '//',
    ];
    keys.push(
      '.',
      '%2E',
      '..',
      '...',
      './.',
      '',
      'x'.repeat(200),
      'x'.repeat(201),
      `${'x'.repeat(200)}/x`,
      `${'x'.repeat(200)}%/x`,
    );
    const paths = keys.filter((key) => key !== '').map((key) => keyToPath(key).join('/'));
    expect(new Set(paths).size).toBe(paths.length);
  });

  it('gives no folder the name of a meta on a file system that folds case as Unicode says, where ſ is an s', () => {
    const [folder = ''] = keyToPath('a.meta.jſon/b');
    expect(folder).not.toMatch(/\.meta\.json$/iu);
  });
});

describe('the folder of a prefix', () => {
  it('is the folder of every key that begins with it', () => {
    fc.assert(
      fc.property(anyKey, (key) => {
        const path = keyToPath(key);
        for (let slash = key.indexOf('/'); slash !== -1; slash = key.indexOf('/', slash + 1)) {
          const folder = prefixToFolder(key.slice(0, slash + 1));
          expect(path.slice(0, folder.length)).toEqual(folder);
          expect(folder.length).toBeLessThan(path.length);
        }
      }),
    );
  });

  it('is the bucket itself for no prefix', () => {
    expect(prefixToFolder('')).toEqual([]);
  });
});

describe('a name that no key has', () => {
  it.each([
    ['.bucket.json', false],
    ['file', false],
    ['.meta.json', false],
    ['a%2emeta.json', true],
    ['%41.meta.json', false],
    ['%2E.json.meta.jso', false],
    ['.hidden', true],
    ['.hidden.meta.json', false],
    ['a.meta.json', true],
    ['a..meta.json', false],
    ['a .meta.json', false],
    ['a:b.meta.json', false],
    ['a%.meta.json', false],
    ['a%2.meta.json', false],
    ['%%.meta.json', false],
    ['%80.meta.json', false],
    [`${'x'.repeat(201)}.meta.json`, false],
    ['\ud800.meta.json', false],
    ['%%', true],
  ])('%j stands for nothing (a folder: %s)', (name, isFolder) => {
    const entry = decodeComponent(name, isFolder, '');
    // A lone part promises nothing yet: there must be no name below it that makes a key of it.
    if (entry?.kind === 'part') expect(decodeComponent('b.meta.json', false, entry.text)).toBeUndefined();
    else expect(entry).toBeUndefined();
  });

  it('is any name that decodes to a key whose path is another one', () => {
    fc.assert(
      fc.property(
        fc.oneof(anyKey, fc.string({ unit: fc.constantFrom('%', '2', 'E', '.', ' ', 'a', '5'), maxLength: 8 })),
        (text) => {
          const name = `${text.replaceAll('/', '')}${META}`;
          const entry = decodeComponent(name, false, '');
          if (entry !== undefined) expect(keyToPath(entry.text).at(-1)).toBe(name);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
