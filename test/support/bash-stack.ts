/** A root file system with bash and a few programs of this machine, as a directory: small, and enough for droplets. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const PROGRAMS = ['/bin/bash', '/bin/sh', '/bin/cat', '/bin/ls', '/bin/sleep', '/usr/bin/id', '/usr/bin/env'];

/** Makes it at `root`, which must not exist. */
export function makeBashStack(root: string): void {
  for (const name of ['etc', 'tmp', 'home', 'proc', 'dev', 'sys', 'var', 'run', 'root'])
    mkdirSync(join(root, name), { recursive: true });
  writeFileSync(join(root, 'etc/os-release'), 'PRETTY_NAME="Bash 1"\n');
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0::/root:/bin/bash\nvcap:x:2000:2000::/home/vcap:/bin/bash\n',
  );
  for (const program of PROGRAMS) {
    const listed = execFileSync('ldd', [program], { encoding: 'utf8' });
    for (const path of [program, ...[...listed.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1] ?? '')]) {
      const at = join(root, path);
      mkdirSync(dirname(at), { recursive: true });
      copyFileSync(realpathSync(path), at);
    }
  }
}
