/** A data home with one of everything, and the commands that are run over damaged copies of it. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ZipFile } from 'yazl';
import { Stager } from '../../src/compose.ts';
import { loadConfig } from '../../src/config/load.ts';
import { openBlobs, runDroplet, stage } from '../../src/index.ts';
import { checkLayout } from '../../src/machine/host/data-layout.ts';
import { shellItems, tarOf } from '../support/mini-stack.ts';
import { leaveClaims, PROGRAMS, type Program, performProgram, preparePrograms } from './programs.ts';

/** Where things are; the same for every copy, since records hold addresses. */
export interface Place {
  readonly dir: string;
  readonly url: string;
  /** Absent: the directory in the data home. */
  readonly blobstore?: string;
}

/** What a command did that can be compared. */
export interface Done {
  readonly fingerprint: string;
  readonly warnings: readonly string[];
}

/** In the order in which their results are taken: what `stage` leaves is the youngest, so that each uses what is damaged. */
export const COMMANDS = ['package', 'stage', 'reuse', 'run', 'stack', 'verify'] as const;
export type Command = (typeof COMMANDS)[number] | Program;

const signal = new AbortController().signal;

export async function stagerOf({ dir }: Place): Promise<Stager> {
  const flags = { home: join(dir, 'home'), sandbox: 'none' };
  return new Stager(await loadConfig({ flags, machineOnly: true }));
}

/** Runs one command as a person would. @throws whatever it fails with. */
export async function perform(command: Command, place: Place): Promise<Done> {
  await checkLayout(join(place.dir, 'home'));
  const common = commonOf(place);
  switch (command) {
    case 'stage':
    case 'reuse':
      return await staged(place, command === 'reuse');
    case 'run': {
      let text = '';
      const { result } = runDroplet({
        ...common,
        command: ['cat', 'index.html', '../deps/0/data', '../deps/1/data'],
        onEvent: (event) => {
          if (event.type === 'log') text += `${event.text}\n`;
        },
      });
      await result;
      return { fingerprint: text, warnings: [] };
    }
    case 'stack': {
      const { rootfs, notice } = await (await stagerOf(place)).stacks.resolve('mini');
      const path = rootfs.kind === 'host' ? '/' : rootfs.path;
      return { fingerprint: await readFile(join(path, 'file'), 'utf8'), warnings: notice ? [notice] : [] };
    }
    case 'verify': {
      const blobs = await openBlobs(common);
      const { damaged } = await blobs.verify();
      return { fingerprint: 'verified', warnings: damaged.map((it) => it.key.name) };
    }
    case 'package':
      return await staged(place, false, true);
    default:
      return await performProgram(command, place);
  }
}

const commonOf = ({ dir, blobstore }: Place) => ({
  home: join(dir, 'home'),
  sandbox: 'none' as const,
  ...(blobstore !== undefined && { blobstore }),
});

async function staged(place: Place, reuse: boolean, fromPackage = false): Promise<Done> {
  const { dir, url } = place;
  const warnings: string[] = [];
  const guid = fromPackage ? readFileSync(packageOf(place), 'utf8') : undefined;
  const record = await stage({
    ...commonOf(place),
    ...(guid === undefined ? { source: join(dir, 'app') } : { package: guid }),
    appName: 'app',
    buildpacks: ['first', `${url}/second.zip`],
    sourceDateEpoch: 315_532_800,
    reuse,
    onEvent: (event) => {
      if (event.type === 'warning' && event.code !== 'limit-not-enforced') warnings.push(event.message);
    },
  }).result;
  return { fingerprint: record.droplet.sha256, warnings };
}

/**
 * Makes the original. The app has an older version behind it, so that old files can come back.
 *
 * @param wanted `programs`: also what {@link PROGRAMS} need, which takes a container, and a server that starts.
 */
export async function makeRig({
  blobstore,
  programs = false,
}: {
  readonly blobstore?: string;
  readonly programs?: boolean;
} = {}): Promise<{
  readonly place: Place;
  readonly expected: ReadonlyMap<Command, string>;
  readonly close: () => Promise<void>;
}> {
  const dir = await mkdtemp(join(tmpdir(), 'stager-mutations-'));
  await chmod(dir, 0o777);
  const server = await serveZip(join(dir, 'second'), 'second');
  const place: Place = { dir, url: urlOf(server), ...(blobstore !== undefined && { blobstore }) };
  await mkdir(join(dir, 'app'));
  await mkdir(join(dir, 'app/bin'));
  await writeFile(join(dir, 'app/index.html'), 'older\n');
  await makeBuildpack(join(dir, 'first'), 'first');
  await writeFile(join(dir, 'mini.tar'), await tarOf([...shellItems(), { name: 'file', content: 'one' }]));
  await mkdir(join(dir, 'home'), { mode: 0o711 });
  await installAgain(place);
  await perform('stage', place);
  keepCopy(dir, 'older');
  await writeFile(join(dir, 'app/index.html'), 'hello\n');
  // A pack of contents that only the newest package needs, and a member that is worth caching.
  await writeFile(join(dir, 'app/bin/data'), createHash('sha256').update('x').digest('hex').repeat(8000));
  const expected = new Map<Command, string>();
  await perform('stage', place);
  await noteNewestPackage(place);
  if (programs) await preparePrograms(place);
  for (const command of programs ? [...PROGRAMS, ...COMMANDS] : COMMANDS)
    expected.set(command, (await perform(command, place)).fingerprint);
  await noteNewestPackage(place);
  if (programs) await leaveClaims(place);
  keepCopy(dir, 'original');
  const close = async (): Promise<void> => {
    server.close();
    await rm(dir, { recursive: true, force: true });
  };
  return { place, expected, close };
}

/** The buildpack and the stack that the commands use, where they are not installed. */
export async function installAgain(place: Place): Promise<void> {
  const stager = await stagerOf(place);
  const { registry, fetcher } = await stager.buildpacks(signal);
  const path = join(place.dir, 'first');
  if (!(await registry.list()).some((it) => it.name === 'first')) {
    const fetched = await fetcher.fetch({ kind: 'directory', key: path, path }, { signal });
    await registry.add('first', fetched, { signal });
    await fetched.lease.release();
  }
  if (!(await stager.stacks.list()).some((it) => it.name === 'mini'))
    await stager.stacks.add('mini', join(place.dir, 'mini.tar'), { signal });
}

/** The newest staging's package is the one that `package` stages. */
export async function noteNewestPackage(place: Place): Promise<void> {
  const newest = await (await stagerOf(place)).records.last();
  await writeFile(packageOf(place), newest?.package ?? '');
}

const packageOf = ({ dir }: Place): string => join(dir, 'home/newest-package');

function keepCopy(dir: string, name: string): void {
  execFileSync('mkdir', ['-p', join(dir, name)]);
  execFileSync('cp', ['-a', '--reflink=auto', join(dir, 'home'), join(dir, name)]);
}

/** Puts the original back. */
export function restore({ dir }: Place): void {
  execFileSync('chmod', ['-R', 'u+rwX', join(dir, 'home')]);
  execFileSync('rm', ['-rf', join(dir, 'home')]);
  execFileSync('cp', ['-a', '--reflink=auto', join(dir, 'original/home'), dir]);
}

const SCRIPTS = {
  detect: 'echo it',
  supply: 'cp "$(dirname "$0")/../lib/data" "$3/$4/data"; echo same >"$2/kept"',
  finalize: 'cp "$(dirname "$0")/../lib/data" "$3/$4/data"',
  release: "printf 'default_process_types:\\n  web: cat index.html\\n'",
} as const;

export async function makeBuildpack(root: string, text: string): Promise<void> {
  await mkdir(join(root, 'bin'), { recursive: true });
  await mkdir(join(root, 'lib'));
  await writeFile(join(root, 'lib/data'), `${text}\n`);
  for (const [name, script] of Object.entries(SCRIPTS))
    await writeFile(join(root, 'bin', name), `#!/bin/sh\nset -e\n${script}\n`, { mode: 0o755 });
}

export async function serveZip(root: string, text: string): Promise<Server> {
  const zip = new ZipFile();
  zip.addBuffer(Buffer.from(`${text}\n`), 'lib/data', { mode: 0o100644, mtime: new Date(0) });
  for (const [name, script] of Object.entries(SCRIPTS)) {
    const bytes = Buffer.from(`#!/bin/sh\nset -e\n${script}\n`);
    zip.addBuffer(bytes, `bin/${name}`, { mode: 0o100755, mtime: new Date(0) });
  }
  zip.end();
  const chunks: Buffer[] = [];
  for await (const chunk of zip.outputStream) chunks.push(Buffer.from(chunk));
  const bytes = Buffer.concat(chunks);
  await mkdir(root);
  const server = createServer((request, response) => {
    if (request.headers['if-none-match'] === '"one"') response.writeHead(304).end();
    else response.writeHead(200, { etag: '"one"', 'content-length': bytes.length }).end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

export function urlOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no address');
  return `http://127.0.0.1:${address.port}`;
}

/** This module, for the process of another user. */
export const RIG = fileURLToPath(import.meta.url);
