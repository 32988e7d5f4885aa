/** How a child process ends. */
import type { ChildProcess } from 'node:child_process';

/** How a child ended: one of the two is null. */
export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Settles when the child has ended; fails when it could not be started. */
export async function endOf(child: ChildProcess): Promise<ChildEnd> {
  return await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}
