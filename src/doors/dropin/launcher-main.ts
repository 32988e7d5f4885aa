/** Cloud Foundry's launcher; started by bin/launcher and `stager launcher`. */
import { endProcess } from '../../machine/host/end-process.ts';
import { Exit } from './caller.ts';
import { dropinCaller } from './caller-process.ts';
import { launcher } from './launcher.ts';

/** Node ignores these two, and what is ignored stays so over an exec; what is caught is put back to its default. */
for (const signal of ['SIGPIPE', 'SIGXFSZ'] as const) process.on(signal, () => {});

// Without `await` at the top: this is bundled as CommonJS, which starts faster.
void launch().catch((error: unknown) => {
  if (!(error instanceof Exit)) throw error;
  endProcess(error.status);
});

function launch(): Promise<never> {
  return launcher(dropinCaller(process.argv.slice(2)), (file, args, env) => {
    if (process.execve === undefined) throw new Error('this Node has no execve');
    return process.execve(file, [...args], { ...env });
  });
}
