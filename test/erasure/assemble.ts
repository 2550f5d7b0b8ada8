import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import wabt from 'wabt';

const folder = path.join(import.meta.dirname, '../../src/erasure');

/** Where the kernel is kept as text, and where as a program. */
export const KERNEL_SOURCE = path.join(folder, 'kernel.wat');
export const KERNEL_MODULE = path.join(folder, 'kernel-binary.ts');

/** The text of `kernel-binary.ts` that belongs to `kernel.wat`. */
export async function assembleKernel(): Promise<string> {
  const assembler = await wabt();
  const parsed = assembler.parseWat(KERNEL_SOURCE, await fs.readFile(KERNEL_SOURCE, 'utf8'), {
    simd: true,
    threads: true,
  });
  try {
    const { buffer } = parsed.toBinary({ canonicalize_lebs: true });
    const lines =
      Buffer.from(buffer)
        .toString('base64')
        .match(/.{1,112}/g) ?? [];
    return [
      '/** kernel.wat as a binary, in base64. Written by `npm run build:kernel`. */',
      'export const KERNEL_BINARY = [',
      ...lines.map((line) => `  '${line}',`),
      "].join('');",
      '',
    ].join('\n');
  } finally {
    parsed.destroy();
  }
}
