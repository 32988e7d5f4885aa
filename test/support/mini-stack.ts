/** The smallest root file system that can be a stack: this machine's shell and the libraries that it needs. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, realpathSync } from 'node:fs';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { pack } from 'tar-stream';

/** One entry of a tar to be made. */
export interface Item {
  readonly name: string;
  readonly type?: 'file' | 'directory' | 'symlink' | 'link' | 'character-device' | 'fifo';
  readonly mode?: number;
  readonly linkname?: string;
  readonly content?: Buffer | string;
}

/** `/bin` is a link to `usr/bin`, as in today's distributions. */
export function shellItems(): Item[] {
  const listed = execFileSync('ldd', ['/bin/sh'], { encoding: 'utf8' });
  const libraries = [...listed.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1] ?? '');
  return [
    { name: './', type: 'directory', mode: 0o755 },
    { name: './usr/bin/', type: 'directory', mode: 0o755 },
    { name: './bin', type: 'symlink', linkname: 'usr/bin' },
    { name: './usr/bin/sh', mode: 0o4755, content: readFileSync(realpathSync('/bin/sh')) },
    { name: './etc/os-release', content: 'PRETTY_NAME="Mini 1.0"\n' },
    ...libraries.map((path) => ({
      name: `.${path}`,
      mode: 0o755,
      content: readFileSync(realpathSync(path)),
    })),
  ];
}

export async function tarOf(items: readonly Item[]): Promise<Buffer> {
  const packer = pack();
  const chunks: Buffer[] = [];
  const done = (async () => {
    for await (const chunk of packer) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
  })();
  for (const { name, type = 'file', mode = 0o644, linkname = '', content = '' } of items) {
    packer.entry({ name, type, mode, linkname }, content);
  }
  packer.finalize();
  await done;
  return Buffer.concat(chunks);
}

const digestOf = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

/** Files of an OCI layout with these layers: path → bytes. Layers are gzipped and zstd-compressed by turns. */
export function ociLayout(layers: readonly Buffer[]): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  const blob = (bytes: Buffer): { digest: string; size: number } => {
    files.set(`blobs/sha256/${digestOf(bytes)}`, bytes);
    return { digest: `sha256:${digestOf(bytes)}`, size: bytes.length };
  };
  const packed = layers.map((layer, index) =>
    blob(index % 2 === 0 ? gzipSync(layer) : zstdCompressSync(layer)),
  );
  const rootfs = { type: 'layers', diff_ids: layers.map((layer) => `sha256:${digestOf(layer)}`) };
  const config = blob(Buffer.from(JSON.stringify({ architecture: 'any', os: 'linux', rootfs })));
  const manifest = blob(Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers: packed })));
  files.set('oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
  files.set('index.json', Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [manifest] })));
  return files;
}

/** What `docker save` wrote before it learned OCI layouts: layers in directories, doubles as links. */
export function dockerArchive(layers: readonly Buffer[]): Item[] {
  const config = JSON.stringify({ rootfs: { diff_ids: layers.map((layer) => `sha256:${digestOf(layer)}`) } });
  const names = layers.map((_, index) => `layer${index}/layer.tar`);
  return [
    ...layers.map((content, index) => ({ name: `real${index}.tar`, content })),
    ...names.map((name, index) => ({ name, type: 'symlink' as const, linkname: `../real${index}.tar` })),
    { name: `${digestOf(config)}.json`, content: config },
    {
      name: 'manifest.json',
      content: JSON.stringify([{ Config: `${digestOf(config)}.json`, Layers: names }]),
    },
  ];
}
