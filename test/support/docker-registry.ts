/** Debian's docker-registry on a port of loopback, with its data in a directory of its own. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';

/** A registry that runs. */
export interface DockerRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly dir: string;
}

/** True where the Debian packages are. */
export function hasProgram(name: string): boolean {
  try {
    execFileSync('/bin/sh', ['-c', `command -v ${name}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** @param login `user:password` where only that one may come in; htpasswd wants bcrypt, given as `bcrypt`. */
export async function startRegistry(login?: { readonly htpasswd: string }): Promise<DockerRegistry> {
  const dir = await mkdtemp(join(tmpdir(), 'stager-registry-'));
  const host = `127.0.0.1:${await freePort()}`;
  if (login !== undefined) await writeFile(join(dir, 'htpasswd'), login.htpasswd);
  const auth = login === undefined ? '' : `auth:\n  htpasswd:\n    realm: test\n    path: ${dir}/htpasswd\n`;
  await writeFile(
    join(dir, 'config.yml'),
    `version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: ${dir}/data\n  delete:\n    enabled: true\nhttp:\n  addr: ${host}\n${auth}`,
  );
  const child = spawn('docker-registry', ['serve', join(dir, 'config.yml')], { stdio: 'ignore' });
  const gone = once(child, 'exit');
  for (;;) {
    const answer = await fetch(`http://${host}/v2/`).catch(() => undefined);
    if (answer !== undefined) break;
    if (child.exitCode !== null) throw new Error(`docker-registry ended with ${child.exitCode}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return {
    host,
    dir,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await gone;
      await rm(dir, { recursive: true, force: true });
    },
  };
}
