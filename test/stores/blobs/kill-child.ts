/** A process that stores, packages or collects in a loop until it is killed. Prints a line when it has begun. */
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { storePackage } from '../../../src/staging/package/create.ts';
import { collectGarbage } from '../../../src/staging/package/gc.ts';
import { openSource } from '../../../src/staging/source/open.ts';
import { withLease } from '../../../src/stores/blobs/lease.ts';
import { openBlobStore } from '../../../src/stores/blobs/open.ts';

const [, , address = '', work = '', app = ''] = process.argv;
const { signal } = new AbortController();
const store = await openBlobStore(address);
/** Over one part in a bucket, so that it is a multipart upload there. */
const bytes = address.startsWith('s3:') ? 6_000_000 : 200_000;
await mkdir(app, { recursive: true });
/** Called when there is something to kill: for a put when its last bytes are asked for. */
const begin = (): void => void process.stdout.write('begun\n');
function* content(n: number): Generator<Uint8Array> {
  yield randomBytes(bytes);
  if (n === 0) begin();
  yield randomBytes(n);
}
if (work !== 'put') begin();
for (let n = 0; work !== 'nothing'; n++) {
  if (work === 'put') {
    const body = Readable.from(content(n), { objectMode: false });
    await withLease(store, { purpose: 'a staging', holds: [], signal }, () =>
      store.put({ kind: 'buildpack_cache', name: `app/stack-${n % 3}` }, body, {
        contentType: 'application/gzip',
        signal,
      }),
    );
  }
  if (work === 'package') {
    for (let f = 0; f < 5; f++) await writeFile(join(app, `f${f}`), randomBytes(1_000 + f));
    await storePackage(await openSource(app), { store, signal, app: 'app' });
  }
  // Enough packages stay that their packs are rewritten, again and again.
  if (work === 'gc') await collectGarbage(store, { signal, graceMs: 0, keepPackages: 9 });
}
