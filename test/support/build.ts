import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { inject } from 'vitest';

/** What the global setup hands to the tests: the folder of a compiled build, or why there is none. */
export interface Build {
  folder: string;
  problem?: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    build: Build;
  }
}

export type Door = 'upload' | 'download' | 'store';

/** The project's folder. */
export const PROJECT = path.resolve(import.meta.dirname, '../..');

/** Inside `node_modules`, so that the packages are found from there and git does not see it. */
const CACHE = path.join(PROJECT, 'node_modules/.cache/mini-object-store-test-build');

/** Another run may be at work on an older build. */
const KEEP_MS = 3_600_000;

/** The compiled entry point, as `npm run build` makes it. @throws where the build failed */
export function compiledDoor(door: Door): string {
  const build = inject('build');
  if (build.problem !== undefined) throw new Error(`the project does not compile: ${build.problem}`);
  return path.join(build.folder, 'bin', `${door}.js`);
}

/** The entry point as a newcomer runs it, through tsx. */
export function sourceDoor(door: Door): string {
  return path.join(PROJECT, 'bin', `${door}.ts`);
}

/** Compiles the project into a folder named after the content of its sources, unless that stands already. Never rejects. */
export async function compile(): Promise<Build> {
  const folder = path.join(CACHE, fingerprint());
  if (fs.existsSync(folder)) return { folder };
  const unfinished = `${folder}.${process.pid}`;
  try {
    fs.mkdirSync(unfinished, { recursive: true });
    const tsc = path.join(PROJECT, 'node_modules/typescript/bin/tsc');
    // Types are the type check's business; this one must be quick.
    const args = [tsc, '-p', 'tsconfig.build.json', '--outDir', unfinished, '--noCheck', '--declaration', 'false'];
    await promisify(execFile)(process.execPath, args, { cwd: PROJECT });
    // Below `node_modules`, Node does not look for the package's own description further up.
    fs.copyFileSync(path.join(PROJECT, 'package.json'), path.join(unfinished, 'package.json'));
    fs.renameSync(unfinished, folder);
    removeOldBuilds();
    return { folder };
  } catch (error) {
    fs.rmSync(unfinished, { recursive: true, force: true });
    if (fs.existsSync(folder)) return { folder };
    const output = error instanceof Error && 'stdout' in error ? String(error.stdout) : '';
    return { folder, problem: `${String(error)}\n${output}` };
  }
}

function fingerprint(): string {
  const hash = createHash('sha256');
  const files = ['package.json', 'tsconfig.json', 'tsconfig.build.json'];
  for (const top of ['bin', 'src']) {
    for (const name of fs.readdirSync(path.join(PROJECT, top), { recursive: true, encoding: 'utf8' }).sort()) {
      if (name.endsWith('.ts')) files.push(path.join(top, name));
    }
  }
  for (const file of files)
    hash
      .update(file)
      .update('\0')
      .update(fs.readFileSync(path.join(PROJECT, file)))
      .update('\0');
  return hash.digest('hex').slice(0, 16);
}

function removeOldBuilds(): void {
  for (const name of fs.readdirSync(CACHE)) {
    const folder = path.join(CACHE, name);
    const age = Date.now() - (fs.statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > KEEP_MS) fs.rmSync(folder, { recursive: true, force: true });
  }
}
