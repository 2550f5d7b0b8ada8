import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { isStoreError } from '../../src/errors.ts';
import { bucketSchema } from '../../src/metadata/bucket-document.ts';
import { formatDocument, parseDocument, seal } from '../../src/metadata/document.ts';
import { metaSchema } from '../../src/metadata/meta.ts';
import { anyKey, fc } from './property.ts';
import { bucketDocument, objectMeta, tombstone } from './sample-meta.ts';

const DETAILS = { disk: 'disk1', path: 'disk1/buckets/x' };

/** The bytes of a document that is sealed as it stands, whatever it says. */
function sealed(content: object): Buffer {
  return Buffer.from(formatDocument(seal(content)));
}

function outcome(bytes: Buffer, schema: v.GenericSchema): unknown {
  try {
    return parseDocument(bytes, schema, DETAILS);
  } catch (error) {
    if (isStoreError(error)) return error.code;
    throw error;
  }
}

describe('a document', () => {
  it.each([
    ['an object', objectMeta(), metaSchema],
    ['an empty object', objectMeta({ size: 0, chunks: [] }), metaSchema],
    ['a tombstone', tombstone(), metaSchema],
    ['a bucket', bucketDocument(), bucketSchema],
    ['a deleted bucket', bucketDocument({ deleted: true }), bucketSchema],
  ])('of %s is read back as it was written', (_, document, schema) => {
    expect(parseDocument<unknown>(Buffer.from(formatDocument(document)), schema, DETAILS)).toEqual(document);
  });

  it('of any key is read back as it was written', () => {
    fc.assert(
      fc.property(anyKey, fc.string({ unit: 'binary' }), (key, contentType) => {
        const meta = objectMeta({ key, contentType });
        expect(parseDocument(Buffer.from(formatDocument(meta)), metaSchema, DETAILS)).toEqual(meta);
      }),
      { numRuns: 300 },
    );
  });

  it('is JSON with a member a line and a chunk a line, and ends in a line end', () => {
    const lines = formatDocument(objectMeta()).split('\n');
    expect(lines[0]).toBe('{');
    expect(lines[1]).toBe('  "format": 1,');
    expect(lines[2]).toBe('  "bucket": "my-bucket",');
    expect(lines.filter((line) => line.startsWith('    {"order":'))).toHaveLength(3);
    expect(lines.slice(-2)).toEqual(['}', '']);
  });

  it('carries the SHA-256 of its compact JSON without the checksum, as anybody can compute it', () => {
    for (const document of [objectMeta({ key: 'ä\u007f\u2028😀"\\\n' }), tombstone(), bucketDocument()]) {
      const { checksum, ...rest } = JSON.parse(formatDocument(document)) as Record<string, unknown>;
      expect(checksum).toBe(createHash('sha256').update(JSON.stringify(rest), 'utf8').digest('hex'));
    }
  });

  it('is the same document in other white space', () => {
    const meta = objectMeta();
    expect(parseDocument(Buffer.from(JSON.stringify(meta)), metaSchema, DETAILS)).toEqual(meta);
    expect(parseDocument(Buffer.from(JSON.stringify(meta, undefined, 8)), metaSchema, DETAILS)).toEqual(meta);
  });

  it('with one byte changed is refused, or says the very same: a bucket with every byte changed to every other', () => {
    const document = bucketDocument();
    const bytes = Buffer.from(formatDocument(document));
    const wrong: string[] = [];
    for (let index = 0; index < bytes.length; index++) {
      for (let value = 0; value < 256; value++) {
        const damaged = Buffer.from(bytes);
        damaged[index] = value;
        const result = outcome(damaged, bucketSchema);
        if (result !== 'META_DAMAGED' && !isDeepStrictEqual(result, document)) wrong.push(`${index}=${value}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('with one bit changed is refused, or says the very same: an object with every bit, and every cut', () => {
    const meta = objectMeta({ key: 'a\ufffd\ufffdb 漢 😀', contentType: 'text/\ufffd' });
    const bytes = Buffer.from(formatDocument(meta));
    const wrong: string[] = [];
    let same = 0;
    for (let index = 0; index < bytes.length; index++) {
      for (let bit = 0; bit < 8; bit++) {
        const damaged = Buffer.from(bytes);
        damaged[index] = (bytes[index] ?? 0) ^ (1 << bit);
        const result = outcome(damaged, metaSchema);
        if (isDeepStrictEqual(result, meta)) same++;
        else if (result !== 'META_DAMAGED') wrong.push(`bit ${bit} of byte ${index}`);
      }
      // Only the line end behind the last brace can go.
      if (index < bytes.length - 1 && outcome(bytes.subarray(0, index), metaSchema) !== 'META_DAMAGED')
        wrong.push(`cut at ${index}`);
    }
    expect(wrong).toEqual([]);
    expect(same).toBeLessThan(bytes.length);
  });

  it('with members left out, doubled or in another order is refused', () => {
    const { checksum, ...content } = objectMeta();
    const { key, ...withoutKey } = content;
    const reordered = { key, ...withoutKey, checksum };
    for (const document of [{ ...withoutKey, checksum }, reordered, content]) {
      expect(outcome(Buffer.from(formatDocument(document)), metaSchema)).toBe('META_DAMAGED');
    }
    const doubled = formatDocument(objectMeta()).replace(
      '  "key": "demo.txt",',
      '  "key": "demo.txt",\n  "key": "evil.txt",',
    );
    expect(outcome(Buffer.from(doubled), metaSchema)).toBe('META_DAMAGED');
  });

  it.each(['', ' ', '{', '[]', 'null', '1', '"text"', 'true', '{}', '{"checksum":null}', '\ufeff{}', '\u0000'])(
    'that reads %j is refused',
    (text) => {
      expect(outcome(Buffer.from(text), metaSchema)).toBe('META_DAMAGED');
    },
  );

  it('that is nested more deeply than the stack is high is one damaged copy, whatever its checksum says', () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ]) {
      const deep = `${(open ?? '').repeat(200_000)}1${(close ?? '').repeat(200_000)}`;
      for (const text of [deep, `{"format":1,"deep":${deep},"checksum":"${'a'.repeat(64)}"}`]) {
        expect(outcome(Buffer.from(text), metaSchema)).toBe('META_DAMAGED');
        expect(outcome(Buffer.from(text), bucketSchema)).toBe('META_DAMAGED');
      }
    }
  });

  it.each([2, 0, -1, 1.5, '1', null, [1], true])('of format %j is refused as unknown when it is whole', (format) => {
    const { checksum, ...content } = objectMeta();
    expect(checksum).not.toBe('');
    expect(outcome(sealed({ ...content, format }), metaSchema)).toBe('UNKNOWN_FORMAT');
    expect(outcome(Buffer.from(formatDocument({ ...content, format, checksum })), metaSchema)).toBe('META_DAMAGED');
  });

  it('that is refused names the file, and what is wrong with it', () => {
    const read = (bytes: Buffer) => () => parseDocument(bytes, metaSchema, DETAILS);
    expect(read(Buffer.from('{'))).toThrow(/^disk1\/buckets\/x is damaged: it is not JSON$/);
    expect(read(Buffer.from('{}'))).toThrow(/^disk1\/buckets\/x is damaged: its checksum does not match$/);
    expect(read(sealed({ format: 9 }))).toThrow(/^disk1\/buckets\/x has format 9; this program knows format 1$/);
    expect(read(Buffer.from('{'))).toThrow(expect.objectContaining({ code: 'META_DAMAGED', details: DETAILS }));
  });
});
