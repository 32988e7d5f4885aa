/** Which registries a server asks when its users name an image. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openEndpointStager, openStager, type Stager } from '../../../src/compose.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { parseImageReference } from '../../../src/stores/registry/reference.ts';

const { signal } = new AbortController();
let dir = '';
let server: Server;
let port = 0;
const asked: string[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stager-registry-rules-'));
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.writeHead(404, { 'content-type': 'application/json' }).end('{"errors":[]}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(dir, { recursive: true, force: true });
});

const configOf = async (more: Parameters<typeof loadConfig>[0]['flags'] = {}) =>
  await loadConfig({ flags: { home: join(dir, 'home'), ...more }, machineOnly: true, cwd: dir, env: {} });
const serverStager = async (more?: Parameters<typeof configOf>[0]) =>
  openEndpointStager(await configOf(more), join(dir, 'data'));

it('a server asks no registry that the rules for scripts forbid, and says who may allow it', async () => {
  const client = await (await serverStager()).registryClient(signal);

  await expect(client.image(parseImageReference(`127.0.0.1:${port}/app`))).rejects.toMatchObject({
    code: 'REGISTRY_UNAVAILABLE',
    message: expect.stringContaining('the egress rules of this server do not allow'),
    next: expect.stringContaining('--allow-host'),
  });
  expect(asked).toEqual([]);
});

it.each([
  ['a registry that the operator allows', { allowHosts: ['127.0.0.1:PORT'] }, '127.0.0.1:PORT/app'],
  [
    'a mirror of the operator',
    { registryMirrors: ['registry.example.com=http://127.0.0.1:PORT'] },
    'registry.example.com/app',
  ],
])('a server asks %s', async (_, settings, image) => {
  const at = (text: string): string => text.replace('PORT', String(port));
  const flags = Object.fromEntries(Object.entries(settings).map(([name, texts]) => [name, texts.map(at)]));
  expect(await isAsked(await serverStager(flags), at(image))).toBe(true);
});

it('stager itself asks whatever its user names', async () => {
  expect(await isAsked(openStager(await configOf()), `127.0.0.1:${port}/app`)).toBe(true);
});

/** Whether a request for `image` comes to the server; it is given up then. */
async function isAsked(stager: Stager, image: string): Promise<boolean> {
  const ends = new AbortController();
  let came = false;
  server.once('request', () => {
    came = true;
    ends.abort();
  });
  const client = await stager.registryClient(ends.signal);
  await expect(client.image(parseImageReference(image))).rejects.toThrow();
  return came;
}
