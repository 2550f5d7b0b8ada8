import * as path from 'node:path';
/** Bucket that all measurements upload to. */
export const BUCKET = 'bench';

/** A checkout of the project, built. */
export interface Build {
  /** Its folder, with the build in `dist/`. */
  repository: string;
}

/** Arguments of `node` that run the compiled command lines, as a user would. */
export function uploadArgs({ repository }: Build, root: string, file: string): string[] {
  return [path.join(repository, 'dist/bin/upload.js'), BUCKET, file, '--root', root, '--quiet', '--json'];
}

/** Puts all files of a folder, whose keys are their paths below it. */
export function uploadFolderArgs({ repository }: Build, root: string, folder: string, ...more: string[]): string[] {
  const upload = path.join(repository, 'dist/bin/upload.js');
  return [upload, BUCKET, '-r', folder, '--root', root, '--quiet', ...more];
}

export function downloadArgs({ repository }: Build, root: string, key: string, target: string): string[] {
  return [path.join(repository, 'dist/bin/download.js'), `${BUCKET}/${key}`, '-o', target, '--root', root, '--quiet'];
}

/** Reads all objects into a folder, at their keys. */
export function downloadFolderArgs({ repository }: Build, root: string, folder: string): string[] {
  return [path.join(repository, 'dist/bin/download.js'), '-r', BUCKET, '-o', folder, '--root', root, '--quiet'];
}

export function storeArgs({ repository }: Build, root: string, ...args: readonly string[]): string[] {
  return [path.join(repository, 'dist/bin/store.js'), ...args, '--root', root];
}
