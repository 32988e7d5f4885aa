/** What the scenarios talk to: a file server for zips, a TLS server that asks for a client certificate as CredHub. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { httpProxy } from '../../support/http-proxy.ts';
import { socksServer } from '../../support/socks-server.ts';

/** Addresses, and the directory with certificates, zips and git repositories. */
export interface Servers {
  readonly dir: string;
  readonly http: string;
  readonly https: string;
  readonly credhub: string;
  /** Host and port of a SOCKS5 proxy. */
  readonly socks: string;
  /** Host and port of a proxy that is spoken HTTP to, and of one that is reached over TLS. */
  readonly proxy: string;
  readonly secureProxy: string;
  /** An address of this machine that is not the loopback one, where the files are served as well. */
  readonly outside: string;
  /** Bodies that were posted since the last reset. */
  readonly posted: string[];
  /** Back to the state before a run. */
  reset(): void;
  close(): Promise<void>;
}

/** Answers that a server should not give. */
const ODD_ANSWERS: Readonly<
  Record<string, { readonly status: number; readonly headers: Record<string, string>; readonly packs?: true }>
> = {
  '/packed.zip': { status: 200, headers: { 'content-encoding': 'gzip' }, packs: true },
  '/nowhere.zip': { status: 302, headers: { location: '' } },
  '/unmodified.zip': { status: 304, headers: {} },
};

/** Starts both on free ports of the loopback address. */
export async function startServers(): Promise<Servers> {
  const dir = mkdtempSync(join(tmpdir(), 'side-by-side-servers-'));
  makeCertificates(dir);
  makeZips(dir);
  makeRepositories(dir);
  const posted: string[] = [];
  const note = (line: string): void => {
    posted.push(line);
  };
  let failures = 0;
  const files = (request: IncomingMessage, response: ServerResponse): void => {
    if (request.url === '/moved.zip') {
      response.writeHead(302, { location: '/good.zip' }).end();
      return;
    }
    note(`${request.method} ${request.url} ${request.headers.host}`);
    const odd = ODD_ANSWERS[request.url ?? ''];
    if (odd !== undefined) {
      response
        .writeHead(odd.status, odd.headers)
        .end(odd.packs ? gzipSync(readFileSync(join(dir, 'zips', 'good.zip'))) : '');
      return;
    }
    try {
      response.end(readFileSync(join(dir, 'zips', (request.url ?? '').slice(1))));
    } catch {
      response.writeHead(404).end('nothing here');
    }
  };
  const interpolate = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    posted.push(`${request.method} ${request.url} ${request.headers['content-type']} ${body}`);
    if (body.includes('not-found'))
      response.writeHead(404).end('{"error":"The request could not be completed."}');
    else if (body.includes('nul')) response.end('{"a":"\0"}');
    else if (body.includes('error-number')) response.writeHead(400).end('{"error":5}');
    else if (body.includes('error-object')) response.writeHead(400).end('{"error":{"a":1}}');
    else if (body.includes('error-list'))
      response.writeHead(400).end('{"error":["a"],"error_description":7}');
    else if (body.includes('error-nothing')) response.writeHead(400).end('{"error":null}');
    else if (body.includes('garbage')) response.writeHead(500).end('<html>');
    else if (body.includes('forbidden'))
      response.writeHead(403).end('{"error":"no","error_description":"way"}');
    else if (body.includes('flaky') && failures++ < 1) response.writeHead(503).end('{"error":"later"}');
    else
      response.end(
        body.replaceAll(/\{"credhub-ref":"[^"]*"\}/g, '{"uri":"mysql://u:p@db/x","password":"s3cret"}'),
      );
  };
  const tls = { cert: readFileSync(join(dir, 'server.crt')), key: readFileSync(join(dir, 'server.key')) };
  const clientCa = readFileSync(join(dir, 'ca', 'ca.crt'));
  const servers = [
    createServer(files),
    createTlsServer(tls, files),
    createTlsServer({ ...tls, ca: clientCa, requestCert: true, rejectUnauthorized: true }, (req, res) => {
      void interpolate(req, res);
    }),
  ];
  const proxies = [socksServer(note), httpProxy(note), httpProxy(note, tls)];
  const [socks, proxy, secureProxy] = await Promise.all(proxies.map(listen));
  const [http, https, credhub] = await Promise.all(servers.map(listen));
  return {
    dir,
    http: `http://127.0.0.1:${http}`,
    https: `https://127.0.0.1:${https}`,
    credhub: `https://127.0.0.1:${credhub}`,
    socks: `127.0.0.1:${socks}`,
    proxy: `127.0.0.1:${proxy}`,
    secureProxy: `127.0.0.1:${secureProxy}`,
    outside: `http://${outsideAddress()}:${http}`,
    posted,
    reset: () => {
      posted.length = 0;
      failures = 0;
    },
    close: async () => {
      for (const server of servers) server.closeAllConnections();
      await Promise.all([...servers, ...proxies].map((server) => new Promise((done) => server.close(done))));
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((done) => server.listen(0, '0.0.0.0', done));
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

function outsideAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((it) => it ?? []);
  return all.find((it) => it.family === 'IPv4' && !it.internal)?.address ?? '127.0.0.1';
}

function run(cwd: string, file: string, ...args: readonly string[]): void {
  execFileSync(file, args, { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
}

function makeCertificates(dir: string): void {
  mkdirSync(join(dir, 'ca'));
  const openssl = (...args: readonly string[]): void => run(dir, 'openssl', ...args);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl('req', '-x509', ...key, '-days', '30', '-subj', '/CN=ca', '-keyout', 'ca.key', '-out', 'ca/ca.crt');
  for (const name of ['server', 'client']) {
    openssl('req', ...key, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
    writeFileSync(
      join(dir, 'ext'),
      'subjectAltName=IP:127.0.0.1,DNS:bp.test,DNS:*.bp.test\nextendedKeyUsage=serverAuth,clientAuth\n',
    );
    const sign = [
      '-CA',
      'ca/ca.crt',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '30',
      '-extfile',
      'ext',
    ];
    openssl('x509', '-req', '-in', `${name}.csr`, ...sign, '-out', `${name}.crt`);
  }
  openssl(
    'req',
    '-x509',
    ...key,
    '-days',
    '30',
    '-subj',
    '/CN=other',
    '-keyout',
    'other.key',
    '-out',
    'other.crt',
  );
  mkdirSync(join(dir, 'no-ca'));
  mkdirSync(join(dir, 'bad-ca'));
  writeFileSync(join(dir, 'bad-ca', 'bad.crt'), 'no certificate\n');
}

const SCRIPTS: Readonly<Record<string, string>> = {
  detect: 'echo zipped',
  supply: 'echo supplying; echo "$4" > "$3/$4/s"',
  finalize: 'echo finalizing; echo done > "$1/finalized"',
  release: 'echo "default_process_types: {web: from zip}"',
};

function writeBuildpack(dir: string): void {
  mkdirSync(join(dir, 'bin'), { recursive: true });
  for (const [name, body] of Object.entries(SCRIPTS)) {
    writeFileSync(join(dir, 'bin', name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  }
  writeFileSync(join(dir, 'README'), 'plain\n', { mode: 0o640 });
}

function makeZips(dir: string): void {
  const zips = join(dir, 'zips');
  mkdirSync(zips);
  const source = join(dir, 'source', 'nested');
  writeBuildpack(source);
  run(source, 'ln', '-s', 'README', 'link');
  run(source, 'zip', '-qry', join(zips, 'good.zip'), '.');
  run(join(dir, 'source'), 'zip', '-qry', join(zips, 'nested.zip'), 'nested');
  writeFileSync(join(zips, 'text.zip'), 'this is not a zip\n');
  writeFileSync(join(zips, 'page.zip'), '<!DOCTYPE html><html>sorry</html>\n');
  writeFileSync(join(zips, 'long.zip'), 'words '.repeat(200));
  writeFileSync(join(zips, 'empty.zip'), '');
  writeFileSync(
    join(zips, 'trailing.zip'),
    Buffer.concat([readFileSync(join(zips, 'good.zip')), Buffer.from('trailing bytes')]),
  );
  const good = readFileSync(join(zips, 'good.zip'));
  for (const creator of [0, 10, 19])
    writeFileSync(join(zips, `creator${creator}.zip`), madeBy(good, creator));
  // A file, and what would have to be in it; the other way round.
  writeFileSync(join(zips, 'clash.zip'), storedZip(['a', 'a/b']));
  writeFileSync(join(zips, 'upper.zip'), storedZip(['a/b', 'a']));
  writeFileSync(join(zips, 'cut.zip'), readFileSync(join(zips, 'good.zip')).subarray(0, 300));
}

/** A zip of files that hold nothing. */
function storedZip(names: readonly string[]): Buffer {
  const [files, directory]: [Buffer[], Buffer[]] = [[], []];
  let at = 0;
  for (const name of names) {
    const local = Buffer.alloc(30);
    local.write('PK\x03\x04', 'latin1');
    local.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.write('PK\x01\x02', 'latin1');
    entry.writeUInt16LE(0x0314, 4);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE((0o100644 << 16) >>> 0, 38);
    entry.writeUInt32LE(at, 42);
    files.push(local, Buffer.from(name));
    directory.push(entry, Buffer.from(name));
    at += 30 + name.length;
  }
  const listed = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(names.length, 8);
  end.writeUInt16LE(names.length, 10);
  end.writeUInt32LE(listed.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...files, listed, end]);
}

/** The same zip with another system in each entry of its directory: 3 is Unix, 10 Windows, 0 FAT, 19 macOS. */
function madeBy(zip: Buffer, creator: number): Buffer {
  const changed = Buffer.from(zip);
  for (let at = changed.indexOf('PK\x01\x02'); at >= 0; at = changed.indexOf('PK\x01\x02', at + 4))
    changed[at + 5] = creator;
  return changed;
}

function makeRepositories(dir: string): void {
  const git = (cwd: string, ...args: readonly string[]): void =>
    run(cwd, 'git', '-c', 'user.name=t', '-c', 'user.email=t@t', '-c', 'protocol.file.allow=always', ...args);
  const module = join(dir, 'module');
  mkdirSync(module);
  writeFileSync(join(module, 'inside'), 'submodule\n');
  const repository = join(dir, 'repository');
  writeBuildpack(repository);
  for (const path of [module, repository]) {
    git(path, 'init', '-q', '-b', 'main');
    git(path, 'add', '.');
    git(path, 'commit', '-qm', 'first');
  }
  git(repository, 'tag', 'v1');
  git(repository, 'checkout', '-qb', 'feature');
  writeFileSync(join(repository, 'on-feature'), 'yes\n');
  git(repository, 'submodule', 'add', '-q', module, 'sub');
  git(repository, 'add', '.');
  git(repository, 'commit', '-qm', 'second');
  git(repository, 'checkout', '-q', 'main');
}
