/** A certificate authority of a test's own, made with the openssl command line tool. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Key and certificate in PEM. */
export interface Identity {
  readonly key: string;
  readonly cert: string;
}

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** Signs certificates for host names; `close` removes its files. */
export class TestAuthority {
  /** Its own certificate as a file, for `--ca-file` and the like. */
  readonly file: string;
  readonly pem: string;
  readonly #dir: string;
  readonly #leaves = new Map<string, Identity>();

  constructor(name: string) {
    this.#dir = mkdtempSync(join(tmpdir(), 'authority-'));
    this.file = join(this.#dir, 'ca.pem');
    this.#openssl([
      ...['req', '-x509', ...EC, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2'],
      ...['-subj', `/CN=${name}`, '-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
    ]);
    this.pem = readFileSync(this.file, 'utf8');
  }

  /** The identity of `host`, a DNS name or an IPv4 address. */
  identity(host: string): Identity {
    const known = this.#leaves.get(host);
    if (known !== undefined) return known;
    const kind = /^[\d.]+$/.test(host) ? 'IP' : 'DNS';
    writeFileSync(
      join(this.#dir, 'leaf.ext'),
      `subjectAltName=${kind}:${host}\nbasicConstraints=critical,CA:false\nextendedKeyUsage=serverAuth\n`,
    );
    this.#openssl(['req', ...EC, '-keyout', 'leaf.key', '-out', 'leaf.csr', '-subj', '/CN=leaf']);
    this.#openssl([
      ...['x509', '-req', '-in', 'leaf.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'],
      ...['-out', 'leaf.pem', '-days', '2', '-extfile', 'leaf.ext'],
    ]);
    const read = (name: string): string => readFileSync(join(this.#dir, name), 'utf8');
    const leaf = { key: read('leaf.key'), cert: read('leaf.pem') };
    this.#leaves.set(host, leaf);
    return leaf;
  }

  close(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #openssl(args: readonly string[]): void {
    execFileSync('openssl', args, { cwd: this.#dir, stdio: ['ignore', 'ignore', 'pipe'] });
  }
}
