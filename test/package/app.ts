/** The app that the tests of packages store. */
import { chmod, lutimes, mkdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export const old = new Date('2020-01-01T00:00:00Z');

/** Makes it, of files that are years old. */
export async function makeApp(app: string): Promise<void> {
  await mkdir(join(app, 'lib/empty'), { recursive: true });
  await writeFile(join(app, 'index.js'), 'main');
  await writeFile(join(app, 'lib/a.js'), 'aaaa');
  await writeFile(join(app, 'lib/copy-of-a.js'), 'aaaa');
  await writeFile(join(app, 'run.sh'), '#!/bin/sh\n');
  await writeFile(join(app, 'nothing'), '');
  await chmod(join(app, 'run.sh'), 0o755);
  await symlink('lib/a.js', join(app, 'link'));
  for (const path of ['index.js', 'lib/a.js', 'lib/copy-of-a.js', 'run.sh', 'nothing']) {
    await utimes(join(app, path), old, old);
  }
  await lutimes(join(app, 'link'), old, old);
}

/** What {@link contentsOf} says of it. */
export const whole = {
  'index.js': '644 main',
  lib: 'dir',
  'lib/a.js': '644 aaaa',
  'lib/copy-of-a.js': '644 aaaa',
  'lib/empty': 'dir',
  link: '-> lib/a.js',
  nothing: '644 ',
  'run.sh': '755 #!/bin/sh\n',
};
