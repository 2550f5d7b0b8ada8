import fc from 'fast-check';

const seed = process.env['FC_SEED'];
if (seed !== undefined) {
  if (!/^-?\d+$/.test(seed)) throw new Error(`FC_SEED must be a whole number, not "${seed}"`);
  // A failure names its seed: `FC_SEED=<seed> npx vitest run <file>` repeats it.
  fc.configureGlobal({ seed: Number(seed) });
}

export { fc };

/** Bits of keys that are awkward somewhere: in a file system, in this layout, or in an encoding. */
const AWKWARD = [
  '/',
  '/',
  '//',
  '.',
  '..',
  '...',
  ' ',
  '%',
  '%2E',
  '%25',
  '%2e',
  '%00',
  '-',
  '--',
  '~',
  '\\',
  ':',
  '*',
  '?',
  '"',
  '<',
  '>',
  '|',
  '.meta.json',
  '.META.JSON',
  '.Meta.Json',
  'meta.json',
  '.bucket.json',
  '.chunk',
  'CON',
  'nul',
  'a',
  'A',
  'b',
  'z',
  '0',
  '\n',
  '\t',
  '\u0000',
  '\u0001',
  '\u001f',
  '\u007f',
  '\u0080',
  '\u00a0',
  '\u200b',
  '\u2028',
  '\ufeff',
  '\ufffd',
  '\uffff',
  '\ud7ff',
  '\ue000',
  'é',
  'e\u0301',
  'ß',
  'ẞ',
  'ſ',
  'ı',
  'İ',
  '\u212a',
  '\u212b',
  'Σ',
  'ς',
  'σ',
  '漢',
  '😀',
  '👩‍👩‍👧',
  '🇩🇪',
  '\u{10ffff}',
];

const piece = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...AWKWARD) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 20 }) },
  // Long enough to go over the length of one file name, and to put its end next to any character.
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(...AWKWARD), fc.integer({ min: 60, max: 420 }))
      .map(([text, times]) => text.repeat(times)),
  },
);

/** Any key that the rules allow: well-formed Unicode, 1 to 1,024 bytes of UTF-8. */
export const anyKey: fc.Arbitrary<string> = fc
  .array(piece, { minLength: 1, maxLength: 12 })
  .map((pieces) => shorten(pieces.join('')))
  .filter((key) => key !== '');

/** Two keys that have a good deal in common. */
export const keyPair: fc.Arbitrary<[string, string]> = fc
  .tuple(anyKey, anyKey, anyKey)
  .map(([a, b, common]) => [shorten(common + a), shorten(common + b)]);

/** As many characters of `text` as fit into a key. */
function shorten(text: string): string {
  let bytes = 0;
  let key = '';
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > 1024) break;
    key += character;
  }
  return key;
}
