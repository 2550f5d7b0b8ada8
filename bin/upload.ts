#!/usr/bin/env node
import { main } from '../src/cli/commands/main.ts';
import { uploadCommand } from '../src/cli/commands/upload.ts';

await main(uploadCommand);
