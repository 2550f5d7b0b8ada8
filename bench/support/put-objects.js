// `node put-objects.js <library> <store> <bucket> <prefix> <count>`: puts so many objects of 4 KiB, each when the one
// before has been acknowledged, by the library whose compiled `index.js` is given.
import { randomBytes } from 'node:crypto';
import { pathToFileURL } from 'node:url';

const [library = '', root = '', bucket = '', prefix = '', count = ''] = process.argv.slice(2);
/** @type {typeof import('../../src/index.ts')} */
const { ObjectStore } = await import(pathToFileURL(library).href);
const store = await ObjectStore.open(root);
for (let index = 0; index < Number(count); index++) await store.put(bucket, `${prefix}${index}`, randomBytes(4096));
