/** Cloud Foundry's builder; started by bin/builder and `stager builder`. */
import { endProcess } from '../../machine/host/end-process.ts';
import { builder } from './builder.ts';
import { dropinCaller } from './caller-process.ts';

// Without `await` at the top: this is bundled as CommonJS, which starts faster.
void builder(dropinCaller(process.argv.slice(2))).then(endProcess);
