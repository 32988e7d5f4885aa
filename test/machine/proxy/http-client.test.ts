/** Whom our own downloads trust, against real TLS servers with authorities of the test's own. */
import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:https';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { portOf } from '../../support/resigning-proxy.ts';
import { TestAuthority } from '../../support/test-authority.ts';

const CLIENT = fileURLToPath(new URL('../../../src/machine/proxy/http-client.ts', import.meta.url));
const CA_FILE = fileURLToPath(new URL('../../../src/machine/proxy/ca-bundle.ts', import.meta.url));
const authorities = {
  system: new TestAuthority('system'),
  node: new TestAuthority('node'),
  own: new TestAuthority('own'),
  unknown: new TestAuthority('unknown'),
};
const servers: Server[] = [];
const urls = new Map<string, string>();

beforeAll(async () => {
  for (const [name, authority] of Object.entries(authorities)) {
    const server = createServer(authority.identity('127.0.0.1'), (_request, response) => response.end(name));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    servers.push(server);
    urls.set(name, `https://127.0.0.1:${portOf(server)}/`);
  }
});
afterAll(async () => {
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  for (const authority of Object.values(authorities)) authority.close();
});

/**
 * What a fresh process gets from the server of each authority: Node reads NODE_EXTRA_CA_CERTS only when it starts.
 * The system's list is the file that SSL_CERT_FILE names.
 */
async function reached(options: { readonly caFile?: string }): Promise<readonly string[]> {
  const script = `
    import { httpClient } from ${JSON.stringify(CLIENT)};
    import { readCaFile } from ${JSON.stringify(CA_FILE)};
    const [caFile, ...urls] = process.argv.slice(1);
    const client = httpClient({ proxy: {}, extraCa: caFile === '' ? [] : await readCaFile(caFile) });
    for (const url of urls) {
      await client(url).then(({ body }) => console.log(body), ({ code }) => console.log(code));
    }`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '--eval', script, options.caFile ?? '', ...urls.values()],
    {
      env: {
        SSL_CERT_FILE: authorities.system.file,
        NODE_EXTRA_CA_CERTS: authorities.node.file,
      },
    },
  );
  return stdout.trim().split('\n');
}

describe('the client of our own downloads', () => {
  it("trusts the system's and Node's extra authorities beside those of --ca-file", async () => {
    expect(await reached({ caFile: authorities.own.file })).toEqual([
      'system',
      'node',
      'own',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    ]);
  });

  it("trusts the system's and Node's extra authorities without --ca-file, and nobody else's", async () => {
    expect(await reached({})).toEqual([
      'system',
      'node',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    ]);
  });
});
