/**
 * A small shell that outlives this process and clears up what only somebody alive can: cgroups, mounts, and
 * processes that no guard holds. It waits for the end of a pipe, which ends with this process, however that ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';

/** See the top of the file. */
export class Warden {
  readonly #child: ChildProcess;
  readonly #gone: Promise<void>;

  /**
   * @param script for /bin/sh; run when this process has ended, or has sent the warden home
   * @param args become `$1`, `$2` … of the script
   */
  constructor(script: string, args: readonly string[]) {
    const whole = `trap '' HUP INT QUIT TERM PIPE; read -r nothing; ${script}`;
    const child = spawn('/bin/sh', ['-c', whole, 'stager-warden', ...args], {
      // A session of its own: what is sent to our process group is not meant for it.
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: '/',
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    });
    this.#child = child;
    this.#gone = new Promise((resolve) => {
      child.once('exit', () => resolve());
      // Without it the next start clears up.
      child.once('error', () => resolve());
    });
    child.stdin?.on('error', () => undefined);
    child.unref();
    if (child.stdin !== null && 'unref' in child.stdin && typeof child.stdin.unref === 'function') {
      child.stdin.unref();
    }
  }

  /** Sends it home. Call it when nothing is left to clear up. */
  async dismiss(): Promise<void> {
    this.#child.stdin?.end();
    this.#child.ref();
    await this.#gone;
  }
}
