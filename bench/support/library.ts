import * as path from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as library from '../../src/index.ts';
import type { Build } from './commands.ts';

/** What a benchmark needs of the library, in this checkout and in an earlier one alike. */
export type Library = Pick<typeof library, 'ObjectStore'>;

/** The library as it was built in a checkout. @throws where there is no build */
export async function loadLibrary({ repository }: Build): Promise<Library> {
  return (await import(pathToFileURL(path.join(repository, 'dist/src/index.js')).href)) as Library;
}
