import js from '@eslint/js';
import globals from 'globals';
import tseslint from 'typescript-eslint';
import { layers, noCircles } from './lint/imports.js';

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
  { plugins: { house: { rules: { layers, 'no-circles': noCircles } } }, rules: { 'house/no-circles': 'error' } },
  { files: ['src/**', 'bin/**'], rules: { 'house/layers': 'error' } },
  // Prettier leaves strings and comments as long as they are; addresses can't be broken.
  { files: ['src/cli/**', 'bin/**', 'lint/**'], rules: { 'max-len': ['error', { code: 120, ignoreUrls: true }] } },
);
