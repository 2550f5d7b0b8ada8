#!/usr/bin/env node
import { main } from '../src/cli/main.ts';
import { uploadCommand } from '../src/cli/upload-command.ts';

await main(uploadCommand);
