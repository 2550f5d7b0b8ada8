#!/usr/bin/env node
import { main } from '../src/cli/main.ts';
import { storeCommand } from '../src/cli/store-command.ts';

await main(storeCommand);
