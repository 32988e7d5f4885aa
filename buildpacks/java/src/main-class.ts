/** Where a main class lies, and which Java it was compiled for. */
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BuildpackFailure, errnoOf } from '../../kit/index.ts';
import { classFile, type Jar, javaOfClass, unpackedManifest, withJar } from './jar.ts';

/** What was seen of classes. */
export interface Look {
  readonly needsJava: number | undefined;
}

const HEADER_BYTES = 8;
/** Classes of one build are of one version: a few of them tell. */
const ENOUGH = 50;

/** Of a jar: its Start-Class or Main-Class, else any class of its own. */
export async function inJar({ manifest, names, read }: Jar): Promise<number | undefined> {
  const main = manifest['Start-Class'] ?? manifest['Main-Class'];
  const places = ['BOOT-INF/classes/', 'WEB-INF/classes/', ''];
  for (const place of main === undefined ? [] : places) {
    const java = javaOfClass(await read(place + classFile(main ?? '')));
    if (java !== undefined) return java;
  }
  const own = names.filter((name) =>
    /^(?:(?:BOOT|WEB)-INF\/classes\/)?(?!META-INF\/|module-info|org\/springframework\/boot\/loader\/).*\.class$/.test(
      name,
    ),
  );
  const all = [];
  for (const name of own.slice(0, ENOUGH)) all.push(javaOfClass(await read(name)) ?? 0);
  return all.length === 0 ? undefined : Math.max(...all);
}

/** Of a directory of classes: `main` if it is there, else the highest of some. */
export async function inTree(dir: string, main?: string): Promise<number | undefined> {
  if (main !== undefined) {
    const java = await ofFile(join(dir, classFile(main)));
    if (java !== undefined) return java;
  }
  const entries = await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => []);
  const classes = entries.filter(
    ({ name, parentPath }) =>
      name.endsWith('.class') && name !== 'module-info.class' && !parentPath.includes('META-INF'),
  );
  const all = [];
  for (const { name, parentPath } of classes.slice(0, ENOUGH)) {
    all.push((await ofFile(join(parentPath, name))) ?? 0);
  }
  return all.length === 0 ? undefined : Math.max(...all);
}

async function ofFile(path: string): Promise<number | undefined> {
  try {
    await using file = await open(path);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0);
    return javaOfClass(buffer.subarray(0, bytesRead));
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

/**
 * The class path for a class that somebody named: the app itself, what its manifest adds, and all jars at the top and in lib/.
 *
 * @throws BuildpackFailure when no part of it has the class.
 */
export async function mainOfClasses(
  dir: string,
  wish: { readonly main: string; readonly source: string; readonly names: readonly string[] },
): Promise<{ readonly path: string; readonly needsJava: number | undefined }> {
  const { main, source, names } = wish;
  if (!/^[\w$]+(\.[\w$]+)*$/.test(main)) {
    throw new BuildpackFailure(`${source} is "${main}", which is not the name of a class`, {
      next: 'Use something like com.acme.Main, without .class and paths.',
    });
  }
  const manifest = await unpackedManifest(dir);
  const stated = (manifest?.['Class-Path'] ?? '').split(/\s+/).filter(Boolean);
  const libs = (await readdir(join(dir, 'lib')).catch(() => [])).filter((name) => name.endsWith('.jar'));
  const jars = [...names.filter((name) => name.endsWith('.jar')), ...libs.map((name) => `lib/${name}`)];
  const wild = [names.some((name) => name.endsWith('.jar')) ? '*' : '', libs.length > 0 ? 'lib/*' : ''];
  const path = ['.', ...stated, ...wild.filter(Boolean)].join(':');
  const own = await ofFile(join(dir, classFile(main)));
  if (own !== undefined) return { path, needsJava: own };
  for (const jar of jars) {
    const java = await withJar(join(dir, jar), jar, async ({ read }) =>
      javaOfClass(await read(classFile(main))),
    );
    if (java !== undefined) return { path, needsJava: java };
  }
  throw new BuildpackFailure(`${source} names ${main}, which is not in the app`, {
    next: `Looked for ${classFile(main)} in the app${jars.length === 0 ? '' : `, ${jars.slice(0, 8).join(', ')}`}.`,
  });
}
