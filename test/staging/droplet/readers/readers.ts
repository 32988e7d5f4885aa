/** The programs that have to read a droplet, each giving the same list of entries. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import { z } from 'zod';

/** One entry as a reader saw it; names are hex of their bytes, so that none can be mangled on the way. */
export const listed = z.object({
  name: z.string(),
  type: z.string(),
  mode: z.number(),
  size: z.number(),
  link: z.string(),
  owner: z.string(),
  digest: z.string(),
});
export type Listed = z.infer<typeof listed>;

function lines(output: string): Listed[] {
  return output
    .trim()
    .split('\n')
    .map((line) => listed.parse(JSON.parse(line)));
}

/** Where Go is: on the path or at its usual place; undefined when the machine has none. */
export function findGo(): string | undefined {
  for (const go of ['go', '/usr/local/go/bin/go']) {
    try {
      execFileSync(go, ['version'], { stdio: 'ignore' });
      return go;
    } catch {
      // The next one.
    }
  }
  return undefined;
}

/** Go's compress/gzip and archive/tar. */
export function readWithGo(go: string, file: string): Listed[] {
  const program = new URL('main.go', import.meta.url).pathname;
  return lines(execFileSync(go, ['run', program, file], { encoding: 'utf8' }));
}

/** Python's tarfile. */
export function readWithPython(file: string): Listed[] {
  const program = new URL('list.py', import.meta.url).pathname;
  return lines(execFileSync('python3', [program, file], { encoding: 'utf8' }));
}

/** Node's zlib and tar-stream. Names in UTF-8 only: tar-stream decodes them. */
export async function readWithNode(file: string): Promise<Listed[]> {
  const found: Listed[] = [];
  const unpack = extract();
  Readable.from([gunzipSync(readFileSync(file))]).pipe(unpack);
  const types: Record<string, string> = { file: '0', link: '1', symlink: '2', directory: '5' };
  for await (const entry of unpack) {
    const digest = createHash('sha256');
    digest.update(await buffer(entry));
    const { name, type, mode, size, linkname, uname, gname, uid, gid } = entry.header;
    found.push({
      name: Buffer.from(name).toString('hex'),
      type: types[type ?? ''] ?? '?',
      mode: mode ?? -1,
      size: size ?? -1,
      link: Buffer.from(linkname ?? '').toString('hex'),
      owner: `${uname}:${gname} ${uid}:${gid}`,
      digest: digest.digest('hex'),
    });
  }
  return found;
}
