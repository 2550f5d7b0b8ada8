import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import ts from 'typescript';
import { expect, inject, test } from 'vitest';
import { PROJECT } from './support/build.ts';
import { runProgram } from './support/processes.ts';
import { tempFolder } from './support/temp.ts';

/** The examples of a source file's docstrings, in order. */
function examplesOf(file: string): string[] {
  const text = readFileSync(path.join(PROJECT, file), 'utf8');
  return [...text.matchAll(/@example(.*?)(?=\n +\* @|\n? *\*\/)/gs)].map(([, code = '']) =>
    code.replaceAll(/^ +\* ?/gm, '').trim(),
  );
}

/** What the examples find: an empty store, files, and, when it comes to replacing it, a disk that is lost. */
const SCENERY = `
const store = await ObjectStore.init('scene', { disks: 3, redundancy: '1+1' });
await store.ensureBucket('my-bucket');
mkdirSync('/tmp/');
writeFileSync('/tmp/photo.jpg', 'a photo');
writeFileSync('/tmp/a.txt', 'a');
writeFileSync('/tmp/b.txt', 'b');
`;
const LOSS = `rmSync('scene/disk2', { recursive: true });\nmkdirSync('/mnt/other', { recursive: true });\n`;

/** A program of all examples, one after the other. Where they name a place outside, they get one in the current folder. */
function program(library: string): string {
  const examples = ['src/index.ts', 'src/store/object-store.ts'].flatMap(examplesOf);
  const story = examples.map((code) => `{\n${code.includes('replaceDisk') ? LOSS : ''}${code}\n}\n`).join('');
  return `import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { isStoreError, ObjectStore } from '${library}';
${SCENERY}${story}`.replaceAll(/(['`])\/(tmp|mnt)\//g, '$1./$2/');
}

function typeErrors(file: string): string[] {
  const { config } = ts.readConfigFile(path.join(PROJECT, 'tsconfig.json'), (name) => readFileSync(name, 'utf8')) as {
    config: object;
  };
  const parsed = ts.parseJsonConfigFileContent({ ...config, include: [], files: [file] }, ts.sys, PROJECT);
  // An example names what it gets, also where it does nothing more with it.
  const options = { ...parsed.options, noUnusedLocals: false, rewriteRelativeImportExtensions: false };
  const all = ts.createProgram([file], options);
  const source = all.getSourceFile(file);
  return [...all.getSyntacticDiagnostics(source), ...all.getSemanticDiagnostics(source)].map(({ messageText }) =>
    ts.flattenDiagnosticMessageText(messageText, '\n'),
  );
}

test('the examples of the library have the right types, and do what they show', async () => {
  const folder = tempFolder();
  mkdirSync(path.join(folder, 'typed'));
  const typed = path.join(folder, 'typed/examples.mts');
  writeFileSync(typed, program(path.join(PROJECT, 'src/index.ts')));
  expect(typeErrors(typed)).toEqual([]);

  const script = ts.transpileModule(program(path.join(inject('build').folder, 'src/index.js')), {
    compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
  }).outputText;
  writeFileSync(path.join(folder, 'examples.mjs'), script);
  const ended = await runProgram(process.execPath, ['examples.mjs'], { cwd: folder });
  expect(ended.stderr).toBe('');
  expect(ended.stdout).toContain('text/plain hell\nhello.txt 5\n');
  expect(ended.code).toBe(0);
});
