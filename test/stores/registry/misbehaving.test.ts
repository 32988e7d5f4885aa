import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { MEDIA } from '../../../src/stores/registry/documents.ts';
import { parseImageReference } from '../../../src/stores/registry/reference.ts';
import { clientFor, push, read, sha256, smallImage } from './support.ts';

type Handler = (request: IncomingMessage, response: ServerResponse, seen: readonly Seen[]) => void;
interface Seen {
  readonly method: string;
  readonly url: string;
  readonly authorization: string | undefined;
}

interface Kept {
  readonly blobs: Map<string, Buffer>;
  readonly manifests: Map<string, Buffer>;
}

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(handler: Handler): Promise<{ readonly host: string; readonly seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    seen.push({
      method: request.method ?? '',
      url: request.url ?? '',
      authorization: request.headers.authorization,
    });
    handler(request, response, seen);
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return { host: `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`, seen };
}

/** A registry in memory that behaves; `fault` answers first when it returns true. */
function honest(
  fault: Handler | ((...all: Parameters<Handler>) => boolean | undefined) = () => false,
  kept: Kept = { blobs: new Map(), manifests: new Map() },
): Handler {
  const { blobs, manifests } = kept;
  const uploads = new Map<string, Buffer>();
  const store = (request: IncomingMessage, response: ServerResponse): void => {
    const url = new URL(request.url ?? '', 'http://x');
    const digest = url.searchParams.get('digest') ?? '';
    const chunks: Buffer[] = [];
    const id = url.pathname;
    request.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (id.includes('/uploads/u'))
        uploads.set(id, Buffer.concat([uploads.get(id) ?? Buffer.alloc(0), chunk]));
    });
    request.on('end', () => {
      const name = decodeURIComponent(url.pathname.split('/').at(-1) ?? '');
      if (url.pathname.includes('/manifests/') && request.method === 'PUT') {
        const bytes = Buffer.concat(chunks);
        manifests.set(name, bytes);
        manifests.set(sha256(bytes), bytes);
        response.writeHead(201).end();
      } else if (url.pathname.includes('/manifests/')) {
        const bytes = manifests.get(name);
        response.writeHead(bytes === undefined ? 404 : 200, { 'content-type': MEDIA.manifest }).end(bytes);
      } else if (request.method === 'POST') {
        response.writeHead(202, { location: `/v2/x/blobs/uploads/u${uploads.size}-${Math.random()}` }).end();
      } else if (id.includes('/uploads/') && request.method === 'PATCH') {
        response.writeHead(202, { location: id, range: `0-${(uploads.get(id)?.length ?? 0) - 1}` }).end();
      } else if (id.includes('/uploads/') && request.method === 'GET') {
        response.writeHead(204, { location: id, range: `0-${(uploads.get(id)?.length ?? 0) - 1}` }).end();
      } else if (id.includes('/uploads/')) {
        const bytes = uploads.get(id) ?? Buffer.alloc(0);
        if (sha256(bytes) !== digest)
          return response.writeHead(400).end('{"errors":[{"code":"DIGEST_INVALID"}]}');
        blobs.set(digest, bytes);
        response.writeHead(201).end();
      } else {
        const bytes = blobs.get(name);
        if (bytes === undefined) return response.writeHead(404).end();
        const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
        const part = bytes.subarray(from);
        response.writeHead(from > 0 ? 206 : 200, { 'content-length': part.length });
        response.end(request.method === 'HEAD' ? undefined : part);
      }
      return undefined;
    });
  };
  return (request, response, seen) => {
    if (fault(request, response, seen) !== true) store(request, response);
  };
}

const times = (seen: readonly Seen[], method: string, part: string): number =>
  seen.filter((it) => it.method === method && it.url.includes(part)).length;

describe('a registry that misbehaves', () => {
  it('answers 401 forever: one sign-in, then a refusal', async () => {
    const { host, seen } = await serve((request, response) => {
      if (request.url?.startsWith('/token') === true) return void response.end('{"token":"t"}');
      const realm = `http://${request.headers.host}/token`;
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="s"` }).end();
    });
    const client = clientFor({ as: { kind: 'basic', username: 'u', password: 'p' } });
    await expect(client.image(parseImageReference(`${host}/a:b`))).rejects.toMatchObject({
      code: 'REGISTRY_DENIED',
    });
    expect(seen.length).toBe(3);
    expect(seen[1]?.url).toContain('scope=repository%3Aa%3Apull');
    expect(seen[1]?.authorization).toBe(`Basic ${Buffer.from('u:p').toString('base64')}`);
    expect(seen[2]?.authorization).toBe('Bearer t');
  });

  it('gets a new token when the old one ran out during an upload', async () => {
    let valid = 0;
    const { host, seen } = await serve(
      honest((request, response) => {
        if (request.url?.startsWith('/token') === true) {
          valid += 1;
          response.end(JSON.stringify({ access_token: `t${valid}` }));
          return true;
        }
        const expired = request.method === 'PUT' && valid === 1;
        if (!expired && request.headers.authorization === `Bearer t${valid}`) return false;
        request.resume();
        const realm = `http://${request.headers.host}/token`;
        response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end();
        return true;
      }),
    );
    const image = smallImage(1000);
    await expect(push(image, `${host}/a:v1`)).resolves.toMatchObject({ digest: image.digest });
    expect(times(seen, 'GET', '/token')).toBeGreaterThan(1);
  });

  it('is busy: what Retry-After asks for is waited, and then it is asked again', async () => {
    let refused = 0;
    const { host } = await serve(
      honest((request, response) => {
        if (request.method !== 'HEAD' || refused >= 2) return false;
        refused += 1;
        response.writeHead(429, { 'retry-after': '0' }).end();
        return true;
      }),
    );
    await expect(push(smallImage(1000), `${host}/a:v1`)).resolves.toMatchObject({ uploaded: 2 });
    const { host: never } = await serve(
      (_, response) =>
        void response
          .writeHead(429, { 'retry-after': '3600' })
          .end('{"errors":[{"code":"TOOMANYREQUESTS"}]}'),
    );
    const asked = clientFor().image(parseImageReference(`${never}/a:b`));
    await expect(asked).rejects.toMatchObject({
      code: 'REGISTRY_UNAVAILABLE',
      message: expect.stringContaining('TOOMANYREQUESTS'),
    });
  });

  it('breaks an upload in the middle: it is taken up where it broke', async () => {
    let broken = false;
    const { host, seen } = await serve(
      honest((request, response) => {
        if (request.method !== 'PATCH' || broken) return false;
        broken = true;
        let bytes = 0;
        request.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > 300_000) response.destroy();
        });
        return undefined;
      }),
    );
    const image = smallImage(4_000_000);
    await expect(push(image, `${host}/a:v1`)).resolves.toMatchObject({ resumed: 1, uploaded: 2 });
    expect(times(seen, 'PATCH', '/uploads/')).toBe(2);
    const reference = parseImageReference(`${host}/a@${image.digest}`);
    const [layer] = (await clientFor().image(reference)).manifest.layers;
    if (layer === undefined) throw new Error('no layer');
    expect((await read(await clientFor().blob(reference, layer))).equals(image.layer)).toBe(true);
  });

  it('answers 500 to an upload until the client gives up: no manifest is sent', async () => {
    const { host, seen } = await serve(
      honest((request, response) => {
        if (request.method !== 'PUT' || request.url?.includes('/uploads/') !== true) return false;
        request.resume();
        response.writeHead(500).end('<html>oops</html>');
        return true;
      }),
    );
    await expect(push(smallImage(1000), `${host}/a:v1`)).rejects.toMatchObject({
      code: 'REGISTRY_UNAVAILABLE',
    });
    expect(times(seen, 'PUT', '/manifests/')).toBe(0);
  });

  it('breaks a download: it is taken up; sends too much or something else: it is refused', async () => {
    const image = smallImage(2_000_000);
    const layer = image.blobs[0]?.descriptor;
    if (layer === undefined) throw new Error('no layer');
    let broken = false;
    const { host } = await serve(
      honest((request, response) => {
        if (request.method !== 'GET' || request.url?.includes(layer.digest) !== true || broken) return false;
        broken = true;
        response.writeHead(200, { 'content-length': layer.size });
        response.write(image.layer.subarray(0, 700_000), () => response.destroy());
        return true;
      }),
    );
    await push(image, `${host}/a:v1`);
    const reference = parseImageReference(`${host}/a:v1`);
    expect((await read(await clientFor().blob(reference, layer))).equals(image.layer)).toBe(true);
    for (const body of [Buffer.concat([image.layer, Buffer.from('more')]), Buffer.alloc(layer.size)]) {
      const { host: liar } = await serve((_, response) => void response.end(body));
      const lied = clientFor().blob(parseImageReference(`${liar}/a:v1`), layer);
      await expect(lied.then(read)).rejects.toMatchObject({ code: 'IMAGE_INVALID' });
    }
  });

  it('redirects to another host: no credential goes there', async () => {
    const image = smallImage(1000);
    const layer = image.blobs[0]?.descriptor;
    if (layer === undefined) throw new Error('no layer');
    const storage = await serve((_, response) => void response.end(image.layer));
    const { host, seen } = await serve((request, response) => {
      if (request.headers.authorization === undefined)
        return void response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      response.writeHead(307, { location: `http://${storage.host}/blob` }).end();
    });
    const client = clientFor({ as: { kind: 'basic', username: 'u', password: 'p' } });
    await read(await client.blob(parseImageReference(`${host}/a:b`), layer));
    expect(seen.at(-1)?.authorization).toBeDefined();
    expect(storage.seen[0]?.authorization).toBeUndefined();
  });

  it('redirects to a host that asks for a password: it gets none, nor does a token service that it names', async () => {
    const stranger = await serve((request, response) => {
      const realm = `http://${request.headers.host}/token`;
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end();
    });
    const { host } = await serve(
      (request, response) =>
        void response.writeHead(307, { location: `http://${stranger.host}${request.url}` }).end(),
    );
    const client = clientFor({ as: { kind: 'basic', username: 'u', password: 'p' } });
    await expect(client.image(parseImageReference(`${host}/a:b`))).rejects.toMatchObject({
      code: 'REGISTRY_DENIED',
      message: expect.stringContaining(stranger.host),
    });
    expect(stranger.seen.map(({ url, authorization }) => [url, authorization])).toEqual([
      ['/v2/a/manifests/b', undefined],
    ]);
  });

  it('takes uploads at another host: no credential goes there', async () => {
    const elsewhere = await serve(honest());
    const { host } = await serve(
      honest((request, response) => {
        if (request.headers.authorization === undefined) {
          request.resume();
          response.writeHead(401, { 'www-authenticate': 'Basic realm="own"' }).end();
          return true;
        }
        if (request.method !== 'POST') return false;
        request.resume();
        response.writeHead(202, { location: `http://${elsewhere.host}/v2/a/blobs/uploads/u1` }).end();
        return true;
      }),
    );
    const as = { kind: 'basic', username: 'u', password: 'p' } as const;
    await push(smallImage(1000), `${host}/a:v1`, clientFor({ as })).catch(() => undefined);
    expect(elsewhere.seen.length).toBeGreaterThan(0);
    expect(elsewhere.seen.filter(({ authorization }) => authorization !== undefined)).toEqual([]);
  });

  it('describes an image with a configuration that is too large: it is not fetched', async () => {
    const manifest = JSON.stringify({
      schemaVersion: 2,
      config: { mediaType: MEDIA.config, digest: sha256('x'), size: 17 * 1024 * 1024 },
      layers: [],
    });
    const { host, seen } = await serve((_, response) => void response.end(manifest));
    await expect(clientFor().image(parseImageReference(`${host}/a:b`))).rejects.toMatchObject({
      code: 'IMAGE_INVALID',
      message: expect.stringContaining('its configuration has 17825792 bytes'),
    });
    expect(times(seen, 'GET', '/blobs/')).toBe(0);
  });

  it('redirects in circles, names a file as realm, sends a manifest without end: each is refused', async () => {
    const circle = await serve(
      (request, response) => void response.writeHead(307, { location: request.url }).end(),
    );
    await expect(clientFor().image(parseImageReference(`${circle.host}/a:b`))).rejects.toMatchObject({
      code: 'REGISTRY_UNAVAILABLE',
    });
    const realm = await serve(
      (_, response) =>
        void response.writeHead(401, { 'www-authenticate': 'Bearer realm="file:///etc/passwd"' }).end(),
    );
    await expect(clientFor().image(parseImageReference(`${realm.host}/a:b`))).rejects.toMatchObject({
      code: 'REGISTRY_DENIED',
    });
    const endless = await serve((_, response) => {
      const more = (): void => {
        while (response.writable && response.write(Buffer.alloc(1_000_000, 32)));
        response.once('drain', more);
      };
      more();
    });
    await expect(clientFor().image(parseImageReference(`${endless.host}/a:b`))).rejects.toMatchObject({
      code: 'IMAGE_INVALID',
    });
  });

  it('nests indexes in circles and without end, has nothing for this machine, speaks schema 1: each is refused', async () => {
    const index = (digest: string, more = ''): string =>
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MEDIA.index,
        manifests: [{ mediaType: MEDIA.index, digest, size: 1 }],
        more,
      });
    const documents = new Map<string, string>();
    let last = index(`sha256:${'0'.repeat(64)}`);
    for (let depth = 0; depth < 6; depth += 1) {
      documents.set(sha256(last), last);
      last = index(sha256(last), String(depth));
    }
    documents.set('deep', last);
    documents.set(
      'other',
      JSON.stringify({
        schemaVersion: 2,
        manifests: [{ digest: sha256('x'), size: 1, platform: { os: 'plan9', architecture: 'vax' } }],
      }),
    );
    documents.set('old', JSON.stringify({ schemaVersion: 1, name: 'a', tag: 'b' }));
    documents.set('wrong', '{"schemaVersion":2,"config":{"digest":"md5:1","size":1},"layers":[]}');
    const { host } = await serve((request, response) => {
      const text = documents.get(request.url?.split('/').at(-1) ?? '');
      response.writeHead(text === undefined ? 404 : 200).end(text);
    });
    for (const tag of ['deep', 'other', 'old', 'wrong']) {
      await expect(clientFor().image(parseImageReference(`${host}/a:${tag}`)), tag).rejects.toMatchObject({
        code: 'IMAGE_INVALID',
      });
    }
  });

  it('refuses a mount in each way there is: the blob is uploaded', async () => {
    for (const status of [401, 403, 404, 500]) {
      const { host } = await serve(
        honest((request, response) => {
          if (request.url?.includes('mount=') !== true) return false;
          response.writeHead(status).end();
          return true;
        }),
      );
      const image = smallImage(1000, parseImageReference(`${host}/other:v1`));
      await expect(push(image, `${host}/a:v1`), String(status)).resolves.toMatchObject({
        uploaded: 2,
        mounted: 0,
      });
    }
  });

  it('is asked after its mirror, and alone when that fails', async () => {
    const image = smallImage(1000);
    const [mirror, origin] = [await serve(honest()), await serve(honest())];
    await push(image, `${mirror.host}/a:v1`);
    const client = clientFor({ mirrors: new Map([[origin.host, [`http://${mirror.host}`]]]) });
    await expect(client.image(parseImageReference(`${origin.host}/a:v1`))).resolves.toMatchObject({
      digest: image.digest,
    });
    expect(origin.seen).toEqual([]);
    const broken = clientFor({ mirrors: new Map([[mirror.host, ['http://127.0.0.1:1']]]) });
    await expect(broken.image(parseImageReference(`${mirror.host}/a:v1`))).resolves.toMatchObject({
      digest: image.digest,
    });
  });
});

describe('a push that is killed', () => {
  it('leaves no tag that names a missing blob, whenever it ends', async () => {
    const kept: Kept = { blobs: new Map(), manifests: new Map() };
    let left = 0;
    let victim: ChildProcess | undefined;
    const { host } = await serve(
      honest((request) => {
        left -= 1;
        if (left !== 0) return false;
        victim?.kill('SIGKILL');
        request.resume();
        return true;
      }, kept),
    );
    const script = fileURLToPath(new URL('../../support/push-victim.ts', import.meta.url));
    // A push makes eleven requests, give or take the order; STAGER_TEST_KILLS kills at each of them.
    const moments =
      process.env['STAGER_TEST_KILLS'] === undefined ? [3, 8, 10, 11, 99] : [...Array(12).keys(), 99];
    for (const moment of moments) {
      left = moment;
      victim = spawn(
        process.execPath,
        ['--disable-warning=ExperimentalWarning', script, `${host}/app:v${moment}`],
        { stdio: 'ignore' },
      );
      await once(victim, 'exit');
      for (const [tag, bytes] of kept.manifests) {
        if (!tag.startsWith('v')) continue;
        const { config, layers } = JSON.parse(bytes.toString('utf8'));
        for (const { digest } of [config, ...layers])
          expect(kept.blobs.has(digest), `${tag} after ${moment}`).toBe(true);
      }
    }
    expect(kept.manifests.has('v99')).toBe(true);
    expect(kept.manifests.has('v3')).toBe(false);
  });
});
