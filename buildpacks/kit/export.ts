/**
 * The kit for authors outside this repository, who get a copy in their buildpack (`stager buildpack new --language
 * ts`): one module with every library in it, its types, and the shell entry points.
 */
import { execFile } from 'node:child_process';
import { cp, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'rolldown';
import { loadManifest } from './manifest.ts';
import { registryUrl } from './mirrors.ts';

const kit = dirname(fileURLToPath(import.meta.url));
const root = resolve(kit, '../..');

/** Writes the kit to `out`, aside first. */
export async function exportKit(out: string): Promise<void> {
  const fresh = `${out}.new-${process.pid}`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { recursive: true });
  for (const name of ['run.sh', 'launch-env.sh', 'serve.sh']) await cp(join(kit, name), join(fresh, name));
  await writeFile(join(fresh, 'node-runtime'), await runtimeTable());
  await bundle(join(kit, 'index.ts'), join(fresh, 'kit.mjs'));
  await exportAdapter(join(fresh, 'cnb'));
  await types(join(fresh, 'types'));
  await writeFile(join(fresh, 'kit.d.mts'), "export * from './types/index.js';\n");
  await writeFile(join(fresh, '.built'), '');
  await rm(out, { recursive: true, force: true });
  await rename(fresh, out);
}

/** What makes a Cloud Native Buildpack of one for Cloud Foundry: a program and its scripts. */
async function exportAdapter(out: string): Promise<void> {
  await mkdir(out);
  for (const name of ['detect.sh', 'build.sh', 'profile.sh', 'start.sh'])
    await cp(join(kit, 'cnb', name), join(out, name));
  await bundle(join(kit, 'cnb/main.ts'), join(out, 'adapter.mjs'));
}

async function bundle(input: string, file: string): Promise<void> {
  await build({
    input,
    platform: 'node',
    logLevel: 'warn',
    output: { file, format: 'esm', codeSplitting: false, comments: { legal: true } },
  });
}

/** Declarations only; whether the kit is well typed is the type check's to say. */
async function types(out: string): Promise<void> {
  const options = ['--declaration', '--emitDeclarationOnly', '--ignoreConfig', '--skipLibCheck', '--strict'];
  const language = ['--target', 'es2024', '--lib', 'es2024,esnext.disposable', '--types', 'node'];
  const modules = [
    '--module',
    'nodenext',
    '--rewriteRelativeImportExtensions',
    '--outDir',
    out,
    '--rootDir',
    kit,
  ];
  await promisify(execFile)(
    join(root, 'node_modules/.bin/tsc'),
    [...options, ...language, ...modules, join(kit, 'index.ts')],
    { cwd: root },
  );
}

/** For run.sh: the registry, then package, version and sha512 of the Node that the kit itself can run on. */
export async function runtimeTable(): Promise<string> {
  const manifest = await loadManifest(join(kit, 'runtime'));
  const rows = manifest.dependencies.map(
    ({ uri, version, checksum }) => `${uri.replace(/^npm:|@.*$/g, '')} ${version} ${checksum.digest}`,
  );
  return `registry ${registryUrl('npm', {})}\n${rows.join('\n')}\n`;
}
