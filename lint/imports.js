import { readFileSync, statSync } from 'node:fs';
import * as path from 'node:path';
import ts from 'typescript';
import { mayImport, roomOf } from '../layers.js';

/** @import { Rule } from 'eslint' */

/** A file imports only what is below it in the house (`layers.js`). @type {Rule.RuleModule} */
export const layers = {
  meta: {
    type: 'problem',
    schema: [],
    messages: {
      homeless: '{{ from }} is in none of the rooms that layers.js names',
      above: '{{ from }} may not import {{ to }}: see layers.js for what is below it',
    },
  },
  create(context) {
    /** @param {string} file */
    const nameOf = (file) => path.relative(context.cwd, file).replaceAll(path.sep, '/');
    const from = nameOf(context.filename);
    return {
      Program(node) {
        if (roomOf(from) === undefined) context.report({ node, messageId: 'homeless', data: { from } });
      },
      ...onImport((node, specifier) => {
        const to = nameOf(path.resolve(path.dirname(context.filename), specifier));
        if (!mayImport(from, to)) context.report({ node, messageId: 'above', data: { from, to } });
      }),
    };
  },
};

/** No file imports itself by way of others: such files can only be understood all at once. @type {Rule.RuleModule} */
export const noCircles = {
  meta: { type: 'problem', schema: [], messages: { circle: 'imports go round: {{ way }}' } },
  create(context) {
    const home = context.filename;
    // What does not lead back home by one import does not by another.
    /** @type {Set<string>} */
    const seen = new Set();
    /**
     * The files on the way from `file` back home, both included; undefined where there is no way.
     * @param {string} file
     * @returns {string[] | undefined}
     */
    const wayHome = (file) => {
      if (file === home) return [home];
      if (seen.has(file)) return undefined;
      seen.add(file);
      for (const next of importsOf(file)) {
        const way = wayHome(next);
        if (way !== undefined) return [file, ...way];
      }
      return undefined;
    };
    return onImport((node, specifier) => {
      const way = wayHome(path.resolve(path.dirname(home), specifier));
      if (way === undefined) return;
      const names = [home, ...way].map((file) => path.relative(context.cwd, file));
      context.report({ node, messageId: 'circle', data: { way: names.join(' → ') } });
    });
  },
};

/**
 * Visits every import of a file by its path, in whatever form it is written.
 * @param {(node: Rule.Node, specifier: string) => void} visit
 * @returns {Rule.RuleListener}
 */
function onImport(visit) {
  /** @param {Rule.Node & { source?: { value?: unknown } | null | undefined }} node */
  const look = (node) => {
    const specifier = node.source?.value;
    if (typeof specifier === 'string' && specifier.startsWith('.')) visit(node, specifier);
  };
  return {
    ImportDeclaration: look,
    ExportNamedDeclaration: look,
    ExportAllDeclaration: look,
    ImportExpression: look,
    // `import('./x.ts').X` as a type
    TSImportType: look,
  };
}

/**
 * What files import, for as long as they stay as they are: all are asked for once for each of them.
 * @type {Map<string, { time: number, imports: string[] }>}
 */
const known = new Map();

/**
 * The files that a file imports by their paths; none where there is no such file.
 * @param {string} file
 * @returns {string[]}
 */
function importsOf(file) {
  const time = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
  if (time === undefined) return [];
  const before = known.get(file);
  if (before?.time === time) return before.imports;
  const { importedFiles } = ts.preProcessFile(readFileSync(file, 'utf8'), true, true);
  const relative = importedFiles.map(({ fileName }) => fileName).filter((name) => name.startsWith('.'));
  const imports = relative.map((name) => path.resolve(path.dirname(file), name));
  known.set(file, { time, imports });
  return imports;
}
