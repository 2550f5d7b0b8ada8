import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ESLint } from 'eslint';
import tseslint from 'typescript-eslint';
import { expect, test } from 'vitest';
import { noCircles } from '../../lint/imports.js';
import { tempFolder } from '../support/temp.ts';

/** What the rule says of the files of a folder, by their names. */
async function complaints(files: Record<string, string>): Promise<Record<string, string[]>> {
  const cwd = tempFolder();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(cwd, name)), { recursive: true });
    writeFileSync(join(cwd, name), text);
  }
  const eslint = new ESLint({
    cwd,
    overrideConfigFile: true,
    overrideConfig: {
      files: ['**/*.ts'],
      languageOptions: { parser: tseslint.parser },
      plugins: { house: { rules: { 'no-circles': noCircles } } },
      rules: { 'house/no-circles': 'error' },
    },
  });
  const results = await eslint.lintFiles(['.']);
  return Object.fromEntries(
    results
      .filter(({ messages }) => messages.length > 0)
      .map(({ filePath, messages }) => [filePath.slice(cwd.length + 1), messages.map(({ message }) => message)]),
  );
}

const WAYS: [string, string][] = [
  ['import', `import { x } from './b.ts';`],
  ['import type', `import type { X } from './b.ts';`],
  ['import for effects', `import './b.ts';`],
  ['export from', `export { x } from './b.ts';`],
  ['export all', `export * from './b.ts';`],
  ['import()', `await import('./b.ts');`],
  ['a type of import()', `export type X = import('./b.ts').X;`],
];

test.each(WAYS)('two files that import each other are refused: %s', async (_, code) => {
  expect(await complaints({ 'a.ts': code, 'b.ts': code.replace('./b.ts', './a.ts') })).toEqual({
    'a.ts': ['imports go round: a.ts → b.ts → a.ts'],
    'b.ts': ['imports go round: b.ts → a.ts → b.ts'],
  });
});

test('a longer way round is named, and whoever only looks at it is not', async () => {
  expect(
    await complaints({
      'start.ts': `import './a.ts';`,
      'a.ts': `import './low.ts'; import './deep/b.ts';`,
      'deep/b.ts': `import '../low.ts'; import './c.ts';`,
      'deep/c.ts': `import 'node:fs'; import '../a.ts';`,
      'low.ts': `import './missing.ts';`,
    }),
  ).toEqual({
    'a.ts': ['imports go round: a.ts → deep/b.ts → deep/c.ts → a.ts'],
    'deep/b.ts': ['imports go round: deep/b.ts → deep/c.ts → a.ts → deep/b.ts'],
    'deep/c.ts': ['imports go round: deep/c.ts → a.ts → deep/b.ts → deep/c.ts'],
  });
});

test('a diamond is no circle, and a file may import itself no more than others', async () => {
  expect(
    await complaints({
      'top.ts': `import './left.ts'; import './right.ts';`,
      'left.ts': `import './bottom.ts';`,
      'right.ts': `import './bottom.ts';`,
      'bottom.ts': '',
      'self.ts': `import './self.ts';`,
    }),
  ).toEqual({ 'self.ts': ['imports go round: self.ts → self.ts'] });
});
