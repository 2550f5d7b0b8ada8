import js from '@eslint/js';
import globals from 'globals';
import tseslint from 'typescript-eslint';

/**
 * The layers of src/, from the bottom up. A folder imports from folders below it, and from itself; bin/ imports from
 * src/cli, and src/cli knows the store only as a user of the library does, through src/index.ts (and src/errors.ts). So a lower layer can
 * be read, tested and replaced without the ones above it.
 */
const layers = [
  ['errors.ts'],
  ['concurrency', 'memory'],
  ['files'],
  ['erasure', 'disks', 'locks'],
  ['metadata'],
  ['chunks'],
  ['store'],
  ['index.ts'],
  ['cli'],
];

function mayNotImport(names, message) {
  const group = names.flatMap((name) => [`**/${name}`, `**/${name}/**`]);
  // The rule for imports does not look at import(…).
  const path = names.map((name) => name.replace('.', '\\.')).join('|');
  const selector = `ImportExpression[source.value=/(^|\\u002F)(${path})($|\\u002F)/]`;
  return {
    'no-restricted-imports': ['error', { patterns: [{ group, message }] }],
    'no-restricted-syntax': ['error', { selector, message }],
  };
}

const layerRules = layers.flatMap((layer, index) =>
  layer.map((name) => {
    const above = layers.slice(index + 1).flat();
    const beside = layer.filter((other) => other !== name);
    const hidden = name === 'cli' ? layers.slice(1, index - 1).flat() : [];
    return {
      files: [name.endsWith('.ts') ? `src/${name}` : `src/${name}/**/*.ts`],
      rules: mayNotImport(
        [...above, ...beside, ...hidden, 'bin'],
        `src/${name} may only import from the layers below it`,
      ),
    };
  }),
);

export default tseslint.config(
  { ignores: ['dist/', 'coverage/', 'node_modules/', 'storage_nodes/', 'downloaded_files/'] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: {
      globals: globals.node,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      // A number in a template says what it looks like.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // To take a member out of an object is to name it.
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
      '@typescript-eslint/only-throw-error': ['error', { allowThrowingUnknown: true }],
      // Index signatures are read with brackets: `noPropertyAccessFromIndexSignature` and plain sight agree on that.
      '@typescript-eslint/dot-notation': 'off',
    },
  },
  { files: ['**/*.js'], ...tseslint.configs.disableTypeChecked },
  ...layerRules,
  {
    files: ['bin/**/*.ts'],
    rules: mayNotImport(layers.slice(0, -1).flat(), 'bin/ are doors: they import from src/cli only'),
  },
);
