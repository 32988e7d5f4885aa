/** Jars, wars and unpacked ones: their manifest, their classes, and which Java these were compiled for. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { type Entry, fromBufferPromise, openPromise, type ZipFile } from 'yauzl';
import { BuildpackFailure, errnoOf, reasonOf } from '../../kit/index.ts';

/** The main attributes of a META-INF/MANIFEST.MF. */
export type JarManifest = Readonly<Record<string, string>>;

/** A class or a manifest is small; a jar within a jar is not. */
const MAX_ENTRY_BYTES = 512 * 1024 * 1024;

/** What of a jar is looked at. */
export interface Jar {
  readonly manifest: JarManifest;
  readonly names: readonly string[];
  /** Content of an entry; undefined when there is none of this name. */
  read(name: string): Promise<Buffer | undefined>;
}

/** @throws BuildpackFailure when the file is not a zip. */
export async function withJar<T>(path: string, name: string, use: (jar: Jar) => Promise<T>): Promise<T> {
  let zip: ZipFile;
  try {
    zip = await openPromise(path, { lazyEntries: true, autoClose: false });
  } catch (error) {
    throw new BuildpackFailure(`${name} is not a jar: ${reasonOf(error)}`, {
      cause: error,
      next: 'Build it again; an upload may have been cut, or text conversion (git, FTP) have changed it.',
    });
  }
  try {
    const entries = new Map<string, Entry>();
    for await (const entry of zip.eachEntry()) entries.set(entry.fileName, entry);
    const read = async (entryName: string): Promise<Buffer | undefined> => {
      const entry = entries.get(entryName);
      if (entry === undefined || entry.uncompressedSize > MAX_ENTRY_BYTES) return undefined;
      return buffer(await zip.openReadStreamPromise(entry));
    };
    const manifest = parseManifest((await read('META-INF/MANIFEST.MF'))?.toString('utf8') ?? '');
    return await use({ manifest, names: [...entries.keys()], read });
  } catch (error) {
    if (error instanceof BuildpackFailure || errnoOf(error) !== undefined) throw error;
    throw new BuildpackFailure(`${name} is damaged: ${reasonOf(error)}`, {
      cause: error,
      next: 'Build it again; an upload may have been cut.',
    });
  } finally {
    zip.close();
  }
}

/** Lines of 72 bytes are continued by one that begins with a blank; an empty line ends the main attributes. */
export function parseManifest(text: string): JarManifest {
  const [main = ''] = text
    .replace(/^\uFEFF/, '')
    .replaceAll(/\r\n?/g, '\n')
    .replaceAll('\n ', '')
    .split('\n\n');
  const pairs = main.split('\n').flatMap((line) => {
    const [, key, value] = /^([\w-]+):\s*(.*?)\s*$/.exec(line) ?? [];
    return key === undefined || value === undefined ? [] : [[key, value] as const];
  });
  return Object.fromEntries(pairs);
}

/** The manifest of an unpacked jar; undefined when there is none. */
export async function unpackedManifest(dir: string): Promise<JarManifest | undefined> {
  try {
    return parseManifest(await readFile(join(dir, 'META-INF/MANIFEST.MF'), 'utf8'));
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** `com.acme.Main` → `com/acme/Main.class`. */
export const classFile = (name: string): string => `${name.replaceAll('.', '/')}.class`;

/** The Java that a class file needs: 52 is Java 8. Undefined for anything else. */
export function javaOfClass(bytes: Buffer | undefined): number | undefined {
  if (bytes === undefined || bytes.length < 8 || bytes.readUInt32BE(0) !== 0xcafebabe) return undefined;
  return bytes.readUInt16BE(6) - 44;
}

/** Classes of a jar, and of the jars in it. */
export async function classesInJar(path: string, name: string): Promise<number> {
  return withJar(path, name, async ({ names, read }) => {
    let count = names.filter(isClass).length;
    for (const inner of names.filter((it) => it.endsWith('.jar'))) {
      const bytes = await read(inner);
      if (bytes !== undefined) count += await classesInBytes(bytes);
    }
    return count;
  });
}

async function classesInBytes(bytes: Buffer): Promise<number> {
  try {
    const zip = await fromBufferPromise(bytes, { lazyEntries: true });
    let count = 0;
    for await (const entry of zip.eachEntry()) if (isClass(entry.fileName)) count++;
    return count;
  } catch {
    // Not a jar inside: whoever loads it will say so.
    return 0;
  }
}

const isClass = (name: string): boolean => name.endsWith('.class') && !name.startsWith('META-INF/versions/');

/** Classes of all that lies in a directory. */
export async function classesIn(dir: string): Promise<number> {
  let count = 0;
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    if (isClass(entry.name)) count++;
    else if (/\.[jw]ar$/.test(entry.name)) {
      count += await classesInJar(join(entry.parentPath, entry.name), entry.name).catch(() => 0);
    }
  }
  return count;
}
