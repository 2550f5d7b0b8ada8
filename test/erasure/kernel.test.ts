import * as fs from 'node:fs/promises';
import { expect, it } from 'vitest';
import { assembleKernel, KERNEL_MODULE } from './assemble.ts';

it('the binary kernel is its source, assembled: byte for byte what `npm run build:kernel` writes', async () => {
  expect(await fs.readFile(KERNEL_MODULE, 'utf8')).toBe(await assembleKernel());
});
