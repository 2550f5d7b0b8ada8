import * as path from 'node:path';
import type { Setting } from './benchmark.ts';

/** Bucket that all measurements upload to. */
export const BUCKET = 'bench';

/** Arguments of `node` that run the compiled command lines, as a user would. */
export function uploadArgs({ repository }: Setting, root: string, file: string): string[] {
  return [path.join(repository, 'dist/bin/upload.js'), BUCKET, file, '--root', root, '--quiet', '--json'];
}

export function downloadArgs({ repository }: Setting, root: string, key: string, target: string): string[] {
  return [path.join(repository, 'dist/bin/download.js'), `${BUCKET}/${key}`, '-o', target, '--root', root, '--quiet'];
}

export function storeArgs({ repository }: Setting, root: string, ...args: readonly string[]): string[] {
  return [path.join(repository, 'dist/bin/store.js'), ...args, '--root', root];
}
