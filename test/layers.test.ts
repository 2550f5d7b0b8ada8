import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ESLint } from 'eslint';
import tseslint from 'typescript-eslint';
import { describe, expect, it } from 'vitest';
import { LAYERS, roomOf } from '../layers.js';

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
  const complaints = messages.filter(({ ruleId }) => ruleId === 'house/layers');
  const lines = new Set(complaints.map(({ line }) => line));
  return imports.filter((_, index) => lines.has(index + 1)).map(({ name }) => name);
}

/** The names of all imports of the files `to`, as `refused` gives them. */
function every(to: readonly string[], ways = Object.keys(WAYS)): string[] {
  return to.flatMap((file) => ways.map((way) => `${way} ${file}`));
}

/** One file of every room, from the bottom up; those of one layer do not know one another. */
const FILES = LAYERS.flatMap((rooms, layer) =>
  rooms.map((room) => ({ file: room.endsWith('.ts') ? room : `${room}/new/file.ts`, layer })),
);

/** Whether a file may import another one. */
function mayImport(from: { file: string; layer: number }, to: { file: string; layer: number }): boolean {
  if (to.layer >= from.layer) return false;
  if (from.file.startsWith('bin/')) return to.file.startsWith('src/cli/commands/');
  if (from.file.startsWith('src/cli/')) return /^src\/(cli\/|index\.ts|errors\.ts)/.test(to.file);
  if (to.file.startsWith('src/disks/local/')) return from.file === 'src/disks/drivers.ts';
  return true;
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

  it('let a file import others of its own room', async () => {
    for (const { file } of FILES.filter((entry) => !LAYERS.flat().includes(entry.file))) {
      expect(await refused(file, [join(dirname(file), 'other.ts'), file.replace('/new/', '/')])).toEqual([]);
    }
  });

  it('keep the house from importing what is no part of it', async () => {
    const strangers = ['test/support/store.ts', 'bench/run.ts', 'src/store/stray.ts'];
    expect(await refused('src/store/fleet/add.ts', strangers, STATIC)).toEqual(every(strangers, STATIC));
  });

  it.each(['src/store/stray.ts', 'src/new-folder/file.ts'])('refuse %s: it is in no room', async (filePath) => {
    const [result] = await eslint.lintText('export {};', { filePath: join(ROOT, filePath) });
    expect(result?.messages.map(({ ruleId }) => ruleId)).toEqual(['house/layers']);
  });

  it('have a place for every file, and something in every room', () => {
    const files = ['src', 'bin'].flatMap((top) =>
      readdirSync(join(ROOT, top), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .map((name) => `${top}/${name}`),
    );
    expect(new Set(files.map(roomOf))).toEqual(new Set(LAYERS.flat()));
  });

  it('are drawn in docs/design.md, from the top down', () => {
    const drawing =
      /## The house\n.*?```\n(.*?)```/s.exec(readFileSync(join(ROOT, 'docs/design.md'), 'utf8'))?.[1] ?? '';
    const drawn = (drawing.match(/(?<!\S)(src|bin)\/\S*/g) ?? []).map((name) => name.replace(/\/$/, ''));
    const layerOf = (room: string): number => LAYERS.findIndex((rooms) => rooms.includes(room));
    expect(drawn.toSorted()).toEqual(LAYERS.flat().toSorted());
    expect(drawn.map(layerOf)).toEqual(drawn.map(layerOf).toSorted((a, b) => b - a));
  });
});
