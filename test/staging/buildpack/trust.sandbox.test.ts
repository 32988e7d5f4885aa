/** Behind a proxy that re-signs TLS the usual tools work in the sandbox with nothing configured in the buildpack. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readCaFile, writeCaBundle } from '../../../src/machine/proxy/ca-bundle.ts';
import type { Selection } from '../../../src/machine/sandbox/select.ts';
import { BuildpackRig } from '../../support/buildpack-rig.ts';
import { openTestSandbox } from '../../support/open-sandbox.ts';

let opened: Selection;
let rig: BuildpackRig;
let server: Server;
let root: string;
let url: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'trust-'));
  const openssl = (...args: readonly string[]) =>
    execFileSync('openssl', [...args], { cwd: root, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=Test Authority');
  const own = ['-keyout', 'key.pem', '-out', 'cert.pem', '-subj', '/CN=localhost'];
  const names = ['-addext', 'subjectAltName=DNS:localhost', '-addext', 'basicConstraints=CA:FALSE'];
  openssl('req', '-x509', ...key, ...own, ...names, '-CA', 'ca.pem', '-CAkey', 'ca.key');
  const tls = { key: await readFile(join(root, 'key.pem')), cert: await readFile(join(root, 'cert.pem')) };
  server = createServer(tls, (request, response) => {
    const path = request.url ?? '';
    if (path.startsWith('/repo/info/refs')) {
      const text =
        '001e# service=git-upload-pack\n0000003de69de29bb2d1d6434b8b29ae775ad8c2e48c5391 refs/heads/main\n0000';
      response.writeHead(200, { 'content-type': 'application/x-git-upload-pack-advertisement' }).end(text);
    } else if (path.startsWith('/npm/')) {
      const version = { name: 'example', version: '1.0.0', dist: { tarball: `${url}/t` } };
      const document = { name: 'example', 'dist-tags': { latest: '1.0.0' }, versions: { '1.0.0': version } };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document));
    } else if (path.startsWith('/go/')) {
      response.end('v1.0.0\n');
    } else if (path.startsWith('/simple/')) {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>empty</title>');
    } else response.end('hello');
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, resolve);
  await promise;
  const address = server.address();
  url = `https://localhost:${typeof address === 'object' && address !== null ? address.port : 0}`;
  opened = await openTestSandbox();
  rig = await BuildpackRig.open(() => opened.sandbox);
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rig.close();
  await opened.close();
  await rm(root, { recursive: true, force: true });
});

async function lines(extra: readonly string[]): Promise<readonly string[]> {
  const scratch = await mkdtemp(join(root, 'platform-'));
  const variables = await writeCaBundle({ platformDir: scratch, inside: '/etc/stager', rootDir: '/', extra });
  const staged = await rig.stage({
    buildpacks: ['uses-tls'],
    app: { 'url.txt': url },
    env: { platformEnv: variables },
    network: 'host',
    prepare: async ({ platform }) => {
      await writeCaBundle({ platformDir: platform, inside: '/etc/stager', rootDir: '/', extra });
    },
  });
  if (staged.outcome.kind === 'failed') throw staged.outcome.error;
  return staged.output.split('\n').filter((line) => / (ok|failed|absent)$/.test(line));
}

it('curl, git, python, npm and go trust the authority of the operator', async () => {
  const trusted = await lines(await readCaFile(join(root, 'ca.pem')));
  expect(trusted).toEqual(expect.arrayContaining(['curl ok', 'git ok', 'npm ok', 'node ok']));
  expect(trusted.filter((line) => line.endsWith('failed'))).toEqual([]);
});

it('and without it they refuse the connection', async () => {
  expect((await lines([])).filter((line) => line.endsWith(' ok'))).toEqual([]);
});
