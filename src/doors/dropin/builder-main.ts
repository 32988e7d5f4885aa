/** Cloud Foundry's builder; started by bin/builder and `stager builder`. */
import { endProcess } from '../../machine/host/end-process.ts';
import { builder } from './builder.ts';
import { callerOf } from './caller-process.ts';

endProcess(await builder(callerOf(process.argv.slice(2))));
