#!/usr/bin/env node
import { main } from '../src/cli/main.ts';
import { downloadCommand } from '../src/cli/download-command.ts';

await main(downloadCommand);
