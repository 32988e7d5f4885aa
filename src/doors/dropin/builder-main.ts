/** Cloud Foundry's builder; started by bin/builder and `stager builder`. */
import { builder } from './builder.ts';
import { callerOf } from './caller-process.ts';

process.exitCode = await builder(callerOf(process.argv.slice(2)));
