import { describe, expect, it } from 'vitest';
import { bucketFolder, bucketKind, metaKind } from '../../src/metadata/catalog.ts';
import { anyKey, fc } from './property.ts';
import { bucketDocument, objectMeta, tombstone } from './sample-meta.ts';

describe('the places of documents', () => {
  it('are those that the format names', () => {
    expect(bucketFolder('my-bucket')).toBe('buckets/my-bucket');
    expect(bucketKind('my-bucket').path).toBe('buckets/my-bucket/.bucket.json');
    expect(metaKind('my-bucket', 'demo.txt').path).toBe('buckets/my-bucket/demo.txt.meta.json');
    expect(metaKind('my-bucket', 'a/b c').path).toBe('buckets/my-bucket/a/b c.meta.json');
  });

  it('of keys are never the place of the bucket document, nor outside the bucket', () => {
    fc.assert(
      fc.property(anyKey, (key) => {
        const { path } = metaKind('my-bucket', key);
        expect(path).not.toBe(bucketKind('my-bucket').path);
        expect(path.startsWith('buckets/my-bucket/')).toBe(true);
        expect(path.split('/').filter((name) => name === '' || name === '.' || name === '..')).toEqual([]);
      }),
    );
  });

  it('know a document by the name that it carries', () => {
    expect(metaKind('my-bucket', 'demo.txt').nameOf(objectMeta())).toBe(metaKind('my-bucket', 'demo.txt').name);
    expect(metaKind('my-bucket', 'demo.txt').nameOf(tombstone())).toBe(metaKind('my-bucket', 'demo.txt').name);
    expect(metaKind('my-bucket', 'other').nameOf(objectMeta())).not.toBe(metaKind('my-bucket', 'other').name);
    expect(bucketKind('my-bucket').nameOf(bucketDocument())).toBe(bucketKind('my-bucket').name);
  });
});
