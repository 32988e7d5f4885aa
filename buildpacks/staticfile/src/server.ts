/** nginx below deps/<idx>/nginx: the program of Debian's package, and the libraries that the stack lacks. */
import { access } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { BuildpackFailure, type StepContext, succeeds } from '../../kit/index.ts';

/** Shared library → package that has it. */
const LIBRARIES = {
  'libpcre2-8.so.0': 'libpcre2-8-0',
  'libssl.so.3': 'libssl3',
  'libcrypto.so.3': 'libssl3',
  'libz.so.1': 'zlib1g',
  'libcrypt.so.1': 'libcrypt1',
} as const;

/** @throws BuildpackFailure when nginx does not run on this stack. */
export async function installServer(context: StepContext): Promise<void> {
  const { dependencies, dep, log } = context;
  await dependencies.install(context.choose('nginx'), dep.at('nginx'), {
    pick: (path) => (path === 'usr/sbin/nginx' ? 'sbin/nginx' : undefined),
  });
  await dependencies.install(context.choose('nginx-common'), dep.at('nginx'), {
    pick: (path) => (path === 'etc/nginx/mime.types' ? 'conf/mime.types' : undefined),
  });
  for (const name of await missingPackages()) {
    // Beside nginx rather than in deps/<idx>/lib: no other program is to see them.
    await dependencies.install(context.choose(name), dep.at('nginx/lib'), {
      pick: (path) => (/\/lib[^/]*\.so\.[\d.]+$/.test(`/${path}`) ? basename(path) : undefined),
    });
  }
  const env = { ...context.env, LD_LIBRARY_PATH: dep.at('nginx/lib') };
  if ((await succeeds([dep.at('nginx/sbin/nginx'), '-v'], env)) !== true) {
    throw new BuildpackFailure(`nginx does not run on stack ${context.env['CF_STACK'] ?? 'unknown'}`, {
      next: 'It needs glibc 2.34 or newer (Debian 12, Ubuntu 22.04): choose another stack.',
    });
  }
  log.debug(`nginx is at ${dep.at('nginx')}`);
}

async function missingPackages(): Promise<Set<string>> {
  const triplet = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
  const places = [`/lib/${triplet}`, `/usr/lib/${triplet}`, '/lib64', '/usr/lib64', '/lib', '/usr/lib'];
  const missing = new Set<string>();
  for (const [library, name] of Object.entries(LIBRARIES)) {
    const found = await Promise.all(
      places.map((place) =>
        access(join(place, library)).then(
          () => true,
          () => false,
        ),
      ),
    );
    if (!found.includes(true)) missing.add(name);
  }
  return missing;
}
