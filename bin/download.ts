#!/usr/bin/env node
import { main } from '../src/cli/commands/main.ts';
import { downloadCommand } from '../src/cli/commands/download.ts';

await main(downloadCommand);
