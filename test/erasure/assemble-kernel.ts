import * as fs from 'node:fs/promises';
import { assembleKernel, KERNEL_MODULE } from './assemble.ts';

await fs.writeFile(KERNEL_MODULE, await assembleKernel());
