#!/usr/bin/env node
import { main } from '../src/cli/commands/main.ts';
import { storeCommand } from '../src/cli/commands/store.ts';

await main(storeCommand);
