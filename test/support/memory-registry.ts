/** A registry in this process that only answers: images are put into it by the test. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { gzipSync } from 'node:zlib';
import { MEDIA } from '../../src/stores/registry/documents.ts';

/** Who may read an image, as `Authorization` has it. */
const basic = (login: string): string => `Basic ${Buffer.from(login).toString('base64')}`;

const sha256 = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

export interface ImageWish {
  /** `repository:tag`. */
  readonly name: string;
  /** Of the image's configuration: what it starts. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Beside that, such as `architecture`. */
  readonly platform?: Readonly<Record<string, string>>;
  /** `user:password` of the only one who may read it. */
  readonly login?: string;
  readonly configType?: string;
  /** What its one layer holds; executable below `bin`. Without, nothing. */
  readonly files?: Readonly<Record<string, string>>;
}

export interface MemoryRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** What was sent as `Authorization`, in order. */
  readonly authorizations: string[];
  /** @returns the reference. */
  add(wish: ImageWish): string;
  /** Answers for a repository in its own way. @returns the reference of its tag `latest`. */
  fault(repository: string, answer: RequestListener): string;
}

/** A tar of ustar headers, since tar-stream makes none at once. */
function tarOf(files: Readonly<Record<string, string>>): Buffer {
  const blocks = Object.entries(files).flatMap(([name, text]) => {
    const header = Buffer.alloc(512);
    const octal = (value: number, length: number): string =>
      `${value.toString(8).padStart(length - 1, '0')}\0`;
    header.write(name, 0);
    header.write(octal(name.includes('/bin/') ? 0o755 : 0o644, 8), 100);
    header.write(octal(0, 8) + octal(0, 8) + octal(Buffer.byteLength(text), 12) + octal(0, 12), 108);
    header.write('        0', 148);
    header.write('ustar\0' + '00', 257);
    header.write(
      octal(
        header.reduce((sum, byte) => sum + byte, 0),
        7,
      ),
      148,
    );
    const body = Buffer.alloc(Math.ceil(Buffer.byteLength(text) / 512) * 512);
    body.write(text);
    return [header, body];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

const ARCHITECTURE = process.arch === 'x64' ? 'amd64' : process.arch;

/** Listens on loopback. */
/** @param port of loopback; 0 is any. */
export async function startMemoryRegistry(port = 0): Promise<MemoryRegistry> {
  const documents = new Map<string, Buffer>();
  const logins = new Map<string, string>();
  const faults = new Map<string, RequestListener>();
  const authorizations: string[] = [];
  const server = createServer((request, response) => {
    const [, repository = '', , name = ''] =
      /^\/v2\/(.+)\/(manifests|blobs)\/(.+)$/.exec(request.url ?? '') ?? [];
    const { authorization } = request.headers;
    if (authorization !== undefined) authorizations.push(authorization);
    const fault = faults.get(repository);
    if (fault !== undefined) return fault(request, response);
    const login = logins.get(repository);
    if (login !== undefined && authorization !== basic(login))
      return response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end();
    const found = documents.get(`${repository} ${name}`);
    const body =
      found ?? Buffer.from('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
    return response.writeHead(found === undefined ? 404 : 200, { 'content-length': body.length }).end(body);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const host = `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  return {
    host,
    authorizations,
    add: ({ name, config = {}, platform, login, configType = MEDIA.config, files = {} }) => {
      const [repository = '', tag = 'latest'] = name.split(':');
      const keep = (mediaType: string, value: unknown, as?: string) => {
        const bytes = Buffer.from(JSON.stringify(value));
        const digest = sha256(bytes);
        for (const key of [digest, as]) if (key !== undefined) documents.set(`${repository} ${key}`, bytes);
        return { mediaType, digest, size: bytes.length };
      };
      const tar = tarOf(files);
      const packed = gzipSync(tar);
      const blob = sha256(packed);
      documents.set(`${repository} ${blob}`, packed);
      const layer = { mediaType: MEDIA.layer, digest: blob, size: packed.length };
      const described = keep(configType, {
        architecture: ARCHITECTURE,
        os: 'linux',
        ...platform,
        config,
        rootfs: { type: 'layers', diff_ids: [sha256(tar)] },
      });
      keep(
        MEDIA.manifest,
        { schemaVersion: 2, mediaType: MEDIA.manifest, config: described, layers: [layer] },
        tag,
      );
      if (login !== undefined) logins.set(repository, login);
      return `${host}/${name}`;
    },
    fault: (repository, answer) => {
      faults.set(repository, answer);
      return `${host}/${repository}:latest`;
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
