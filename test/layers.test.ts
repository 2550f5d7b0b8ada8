import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ESLint } from 'eslint';
import tseslint from 'typescript-eslint';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

// The files of this test are not on disk, so rules that need their types are off; the layer rule needs none.
const eslint = new ESLint({ cwd: ROOT, overrideConfig: [tseslint.configs.disableTypeChecked] });

/** The ways to import a module, each in one line. */
const WAYS: Record<string, (specifier: string) => string> = {
  import: (specifier) => `import { x } from '${specifier}';`,
  'import type': (specifier) => `import type { X } from '${specifier}';`,
  'import for its effects': (specifier) => `import '${specifier}';`,
  'export from': (specifier) => `export { x } from '${specifier}';`,
  'export all': (specifier) => `export * from '${specifier}';`,
  'import()': (specifier) => `await import('${specifier}');`,
};

/** The imports that the layer rule refuses in a file at `from`, of all ways to import each of the files `to`. */
async function refused(from: string, to: readonly string[], ways = Object.keys(WAYS)): Promise<string[]> {
  const imports = to.flatMap((file) => {
    const path = relative(dirname(from), file);
    const specifier = path.startsWith('.') ? path : `./${path}`;
    return ways.map((way) => ({ name: `${way} ${file}`, code: WAYS[way]?.(specifier) ?? '' }));
  });
  const [result] = await eslint.lintText(imports.map(({ code }) => code).join('\n'), { filePath: join(ROOT, from) });
  const messages = result?.messages ?? [];
  // A file that could not even be parsed would have broken no rule either.
  expect(messages.filter(({ fatal }) => fatal === true)).toEqual([]);
  const complaints = messages.filter(({ ruleId }) => ruleId?.includes('restricted') === true);
  for (const { message } of complaints)
    expect(message).toMatch(/may only import from the layers below it|import from src\/cli only/);
  const lines = new Set(complaints.map(({ line }) => line));
  return imports.filter((_, index) => lines.has(index + 1)).map(({ name }) => name);
}

/** The names of all imports of the files `to`, as `refused` gives them. */
function every(to: readonly string[], ways = Object.keys(WAYS)): string[] {
  return to.flatMap((file) => ways.map((way) => `${way} ${file}`));
}

/** One file of every layer, from the bottom up; those of one line do not know one another. */
const LAYERS = [
  ['src/errors.ts'],
  ['src/concurrency/workers.ts', 'src/memory/aligned.ts'],
  ['src/files/calls.ts'],
  ['src/erasure/combine.ts', 'src/disks/disk.ts', 'src/locks/locks.ts'],
  ['src/metadata/meta.ts'],
  ['src/chunks/placement.ts'],
  ['src/store/object-store.ts'],
  ['src/index.ts'],
  ['src/cli/actions/upload.ts'],
  ['bin/upload.ts'],
];
const FILES = LAYERS.flatMap((files, layer) => files.map((file) => ({ file, layer })));

/** Whether a file may import another one. */
function mayImport(from: { file: string; layer: number }, to: { file: string; layer: number }): boolean {
  if (from.file === 'bin/upload.ts') return to.file.startsWith('src/cli/');
  if (from.file.startsWith('src/cli/')) return to.file === 'src/index.ts' || to.file === 'src/errors.ts';
  return to.layer < from.layer;
}

const STATIC = Object.keys(WAYS).filter((way) => way !== 'import()');

describe('the layers', () => {
  for (const from of FILES) {
    const others = FILES.filter(({ file }) => file !== from.file);
    const allowed = others.filter((to) => mayImport(from, to)).map(({ file }) => file);
    const forbidden = others.filter((to) => !mayImport(from, to)).map(({ file }) => file);

    it(`let ${from.file} import ${allowed.join(', ') || 'no other layer'}, in every way`, async () => {
      expect(await refused(from.file, allowed)).toEqual([]);
    });

    it(`keep ${from.file} from importing ${forbidden.join(', ')}`, async () => {
      expect(await refused(from.file, forbidden, STATIC)).toEqual(every(forbidden, STATIC));
    });

    it(`keep ${from.file} from importing them with import() too`, async () => {
      expect(await refused(from.file, forbidden, ['import()'])).toEqual(every(forbidden, ['import()']));
    });
  }

  it('let a file import others of its own folder', async () => {
    for (const { file } of FILES.filter((entry) => entry.file.split('/').length === 3)) {
      expect(await refused(file, [join(dirname(file), 'new.ts')])).toEqual([]);
    }
  });

  it('bite however deep in a layer a file lies', async () => {
    expect(
      await refused('src/disks/s3/requests/put.ts', ['src/store/objects/put.ts', 'src/errors.ts'], ['import']),
    ).toEqual(['import src/store/objects/put.ts']);
  });
});
