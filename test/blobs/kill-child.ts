/** A process that stores, packages or collects in a loop until it is killed. Prints a line when it has begun. */
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { openBlobStore } from '../../src/blobs/open.ts';
import { createPackage } from '../../src/package/create.ts';
import { collectGarbage } from '../../src/package/gc.ts';
import { openSource } from '../../src/source/open.ts';

const [, , address = '', work = '', app = ''] = process.argv;
const signal = new AbortController().signal;
const store = await openBlobStore(address);
await mkdir(app, { recursive: true });
process.stdout.write('begun\n');
for (let n = 0; ; n++) {
  if (work === 'put') {
    const body = Readable.from([randomBytes(200_000), randomBytes(n)], { objectMode: false });
    await store.put({ kind: 'buildpack_cache', name: `app/stack-${n % 3}` }, body, {
      contentType: 'application/gzip',
      signal,
    });
  }
  if (work === 'package') {
    for (let f = 0; f < 5; f++) await writeFile(join(app, `f${f}`), randomBytes(1_000 + f));
    await createPackage(await openSource(app), { store, signal, app: 'app' });
  }
  if (work === 'gc') await collectGarbage(store, { signal, graceMs: 0, keepPackages: 1 });
}
