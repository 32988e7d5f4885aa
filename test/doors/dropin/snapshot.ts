/** What a run left behind, in a form in which two runs can be compared. */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { LAID_OUT, type World } from './world.ts';

/** Lines that say what a run did; equal runs have equal ones. */
export type Snapshot = Readonly<Record<string, readonly string[]>>;

/** Everything below the world's root that the programs can have written. */
export async function snapshotOf(world: World): Promise<Snapshot> {
  return {
    result: resultLines(world.path('out/result.json')),
    droplet: await archiveLines(world.path('out/droplet')),
    cacheArchive: await archiveLines(world.path('out/cache.tgz')),
    app: treeLines(world.path('app')),
    cache: treeLines(world.path('cache')),
    downloads: treeLines(world.path('downloads')),
    tmp: treeLines(world.path('tmp')),
    home: treeLines(world.path('home')),
  };
}

/** result.json: its bytes without the list whose order is Go's map order, and that list sorted. */
function resultLines(path: string): readonly string[] {
  if (!existsSync(path)) return ['absent'];
  if (lstatSync(path).isDirectory()) return ['a directory'];
  const text = readFileSync(path, 'utf8');
  const list = /"processes":(\[[^\]]*\])/.exec(text)?.[1];
  if (list === undefined) return [text];
  const processes: unknown = JSON.parse(list);
  const sorted = Array.isArray(processes) ? processes.map((it) => JSON.stringify(it)).sort() : [];
  return [text.replace(list, '[…]'), ...sorted];
}

/** One line an entry, sorted; entries that are links to each other name all of them. */
async function archiveLines(path: string): Promise<readonly string[]> {
  if (!existsSync(path)) return ['absent'];
  if (lstatSync(path).isDirectory()) return ['a directory'];
  if (lstatSync(path).size === 0) return ['empty'];
  const entries: { readonly header: Header; readonly digest: string }[] = [];
  const reader = extract();
  const feeding = pipeline(createReadStream(path), createGunzip(), reader);
  for await (const entry of reader) {
    const hash = createHash('sha256');
    hash.update(await buffer(entry));
    entries.push({ header: entry.header, digest: hash.digest('hex').slice(0, 16) });
  }
  await feeding;
  const groups = new Map<string, string[]>();
  for (const { header } of entries) {
    const first = header.type === 'link' ? (header.linkname ?? '') : header.name;
    groups.set(first, [...(groups.get(first) ?? []), header.name]);
  }
  const digests = new Map(entries.map((it) => [it.header.name, it.digest]));
  return entries
    .map(({ header, digest }) => {
      const first = header.type === 'link' ? (header.linkname ?? '') : header.name;
      const linked = groups.get(first)?.toSorted() ?? [];
      const type = linked.length > 1 ? `linked ${linked.join('=')}` : (header.type ?? '?');
      const content = header.type === 'link' ? (digests.get(first) ?? '') : digest;
      const time = header.mtime?.getTime() === LAID_OUT * 1000 ? 'laid-out' : 'new';
      const owner = `${header.uid}:${header.gid} ${header.uname}:${header.gname}`;
      const target = header.type === 'symlink' ? ` -> ${header.linkname}` : '';
      const mode = header.type === 'symlink' ? '' : (header.mode ?? 0).toString(8);
      return `${header.name} ${type} ${mode} ${owner} ${time} ${content}${target}`;
    })
    .sort();
}

/** One line a file below `root`. git's own files differ from clone to clone. */
function treeLines(root: string, name = '.'): readonly string[] {
  if (!existsSync(root)) return ['absent'];
  return readdirSync(join(root, name), { withFileTypes: true })
    .filter((it) => it.name !== '.git')
    .flatMap((entry): readonly string[] => {
      const path = join(root, name, entry.name);
      const shown = `${name}/${entry.name} ${(lstatSync(path).mode & 0o7777).toString(8)}`;
      if (entry.isDirectory()) return [shown, ...treeLines(root, `${name}/${entry.name}`)];
      if (entry.isSymbolicLink()) return [`${name}/${entry.name} -> ${readlinkSync(path)}`];
      if (!entry.isFile()) return [shown];
      return [`${shown} ${createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 16)}`];
    })
    .sort();
}
