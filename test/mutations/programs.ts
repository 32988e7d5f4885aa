/** What is run over the rest of the data home: a sandbox, a start of the program, images, a login, a server. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { buildImage, stage } from '../../src/index.ts';
import { ownIdentity } from '../../src/machine/host/process-identity.ts';
import { httpClient } from '../../src/machine/proxy/http-client.ts';
import { saveLogin } from '../../src/remote/logins.ts';
import { tokensFor } from '../../src/remote/sign-in.ts';
import { readLayout } from '../../src/stores/registry/layout.ts';
import { openLayoutBlob } from '../../src/stores/registry/layout-files.ts';
import { ask, createSpace, PASSWORD, signIn } from '../doors/http/support/served.ts';
import type { Done, Place } from './rig.ts';
import { failureOf, Told, ToldFailure } from './told.ts';

export const PROGRAMS = ['tooled', 'start', 'image', 'base', 'login', 'serve', 'send'] as const;
export type Program = (typeof PROGRAMS)[number];

const STAGER = fileURLToPath(new URL('../../bin/stager', import.meta.url));
const signal = new AbortController().signal;
const SERVER = 'http://127.0.0.1:1';
const done = (fingerprint: string, warnings: readonly string[] = []): Done => ({ fingerprint, warnings });
const homeOf = ({ dir }: Place): string => join(dir, 'home');
/** Of what images are made; beside the data home, since others come to be the last one staged. */
const dropletOf = ({ dir }: Place): string => join(dir, 'tooled.tgz');
const layoutOf = (place: Place): string => join(homeOf(place), 'layout');
export const loginsOf = (place: Place): string => join(homeOf(place), 'config/stager/logins.json');

/** Runs one of them as a person would. @throws whatever it fails with. */
export async function performProgram(program: Program, place: Place): Promise<Done> {
  switch (program) {
    case 'tooled':
      return await tooled(place);
    case 'start':
      return await cli(place, ['buildpack', 'list']);
    case 'image':
      return await image(place);
    case 'base': {
      const file = join(homeOf(place), '../based.tar');
      const options = {
        home: homeOf(place),
        sandbox: 'none',
        tag: 'based:v1',
        base: layoutOf(place),
      } as const;
      const { digest } = await buildImage({
        ...options,
        droplet: dropletOf(place),
        to: { kind: 'tar', file },
      });
      const bytes = await digestOf(file);
      await rm(file);
      return done(`${digest} ${bytes}`);
    }
    case 'login': {
      const parts = {
        http: httpClient({ proxy: {}, extraCa: [] }),
        signal,
        file: loginsOf(place),
        given: undefined,
      };
      return done(await tokensFor(parts, { url: SERVER }).current());
    }
    case 'serve':
      return await served(place, async () => '');
    case 'send':
      return await served(place, async (url) => {
        await cli(place, ['login', url, '--username', 'admin'], { STAGER_PASSWORD: PASSWORD });
        const { fingerprint } = await cli(place, [
          'stage',
          join(place.dir, 'app'),
          '--server',
          url,
          '-b',
          'binary_buildpack',
        ]);
        return /droplet/.test(fingerprint) ? 'sent' : fingerprint;
      });
  }
}

/** Signs in, without asking anybody. */
export const logIn = (place: Place): Promise<void> =>
  saveLogin(loginsOf(place), SERVER, { login: SERVER, clientId: 'cf', accessToken: 'a-token' });

/** One of everything that these use. */
export async function preparePrograms(place: Place): Promise<void> {
  await makeTool(join(place.dir, 'tool'));
  await tooled(place, dropletOf(place));
  await image(place);
  await logIn(place);
  for (let n = 0; n < 2; n += 1) await cli(place, ['buildpack', 'list']);
  await served(place, async (url) => {
    await createSpace(url, await signIn(url));
    await cli(place, ['login', url, '--username', 'admin'], { STAGER_PASSWORD: PASSWORD });
    await cli(place, ['stage', join(place.dir, 'app'), '--server', url, '-b', 'binary_buildpack']);
    return '';
  });
}

/** What a process left that was killed. */
export async function leaveClaims({ dir }: Place): Promise<void> {
  const home = join(dir, 'home');
  const dead = JSON.stringify({ ...ownIdentity(), startTime: '1' });
  const store = join(home, 'buildpacks');
  const [digest = ''] = await readdir(join(store, 'store'));
  for (const path of [
    'unpacked/store.lock',
    'buildpacks/store.lock',
    `buildpacks/leases/${digest}.${randomUUID()}`,
  ])
    await writeFile(join(home, path), dead);
}

/** Codes of warnings that a user of no rights gets for what the machine lacks: no damage. */
const OF_THE_MACHINE: readonly string[] = ['limit-not-enforced', 'network-shared'];

/** A staging in a container, whose buildpack installs an archive that the machine keeps unpacked. */
async function tooled(place: Place, output?: string): Promise<Done> {
  const warnings: string[] = [];
  const { droplet } = await stage({
    home: homeOf(place),
    source: join(place.dir, 'app'),
    appName: 'tooled',
    buildpacks: [join(place.dir, 'tool')],
    sourceDateEpoch: 315_532_800,
    ...(output !== undefined && { output }),
    onEvent: (event) => {
      if (event.type === 'warning' && !OF_THE_MACHINE.includes(event.code)) warnings.push(event.message);
    },
  }).result;
  return done(droplet.sha256, warnings);
}

async function makeTool(root: string): Promise<void> {
  await mkdir(join(root, 'bin'), { recursive: true });
  await mkdir(join(root, 'lib/package'), { recursive: true });
  await writeFile(join(root, 'lib/package/data'), 'tool\n');
  await writeFile(join(root, 'lib/package/more'), 'more of it\n');
  const tar = ['--sort=name', '--owner=0', '--group=0', '--mtime=@315532800', '-czf', 'tool.tgz', 'package'];
  execFileSync('tar', tar, { cwd: join(root, 'lib') });
  const digest = await digestOf(join(root, 'lib/tool.tgz'));
  const note = JSON.stringify({ algorithm: 'sha256', digest, strip: 1, only: null, file: 'tool.tgz' });
  await writeFile(join(root, 'lib/unpacked.json'), note);
  const key = createHash('sha256').update(note).digest('hex');
  const scripts = {
    detect: 'exit 0',
    compile: `mkdir -p "$2/dependencies/one"; cp "$own/lib/tool.tgz" "$own/lib/unpacked.json" "$2/dependencies/one"
tree=/etc/stager/unpacked/${key}
if [ -d "$tree" ]; then cp "$tree/data" "$1/tool"; else cp "$own/lib/package/data" "$1/tool"; fi`,
    release: "printf 'default_process_types:\\n  web: cat tool\\n'",
  };
  for (const [name, script] of Object.entries(scripts))
    await writeFile(join(root, 'bin', name), `#!/bin/sh\nset -e\nown=$(dirname "$0")/..\n${script}\n`, {
      mode: 0o755,
    });
}

async function image(place: Place): Promise<Done> {
  const options = { home: homeOf(place), sandbox: 'none', tag: 'app:v1', base: 'scratch' } as const;
  const directory = layoutOf(place);
  const droplet = dropletOf(place);
  const { digest } = await buildImage({ ...options, droplet, to: { kind: 'layout', directory } });
  const { manifest } = await readLayout(directory);
  for (const layer of manifest.layers) for await (const _ of await openLayoutBlob(directory, layer));
  return done(digest);
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(Buffer.from(chunk));
  return hash.digest('hex');
}

/** A server over the data home: what it lists, what a droplet of it is, and what `use` says. */
async function served(place: Place, use: (url: string) => Promise<string>): Promise<Done> {
  const child = spawn(STAGER, ['serve', '--port', '0', '--sandbox', 'none', '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: envOf(place, { STAGER_ADMIN_PASSWORD: PASSWORD }),
  });
  const said = { text: '' };
  const closed = once(child, 'close');
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said.text += text;
    });
  const used = async (): Promise<Done> => {
    const url = await listening(child, said, closed);
    const token = await signIn(url);
    const apps = List.parse(await ask(url, token, { path: '/v3/apps' })).resources.map(({ name }) => name);
    const { resources } = List.parse(await ask(url, token, { path: '/v3/droplets?order_by=created_at' }));
    const [first] = resources;
    const droplet = first === undefined ? 'none' : await downloaded(url, token, first.guid);
    const more = await use(url);
    return done([...apps, droplet, more].join(' '));
  };
  const outcome = await used().finally(async () => {
    child.kill('SIGTERM');
    await closed;
  });
  if (child.exitCode !== 0)
    throw new Error(`serve ended with ${child.exitCode ?? child.signalCode}: ${said.text}`);
  return outcome;
}

const List = z.object({
  resources: z.array(z.looseObject({ guid: z.string(), name: z.string().optional() })),
});

async function downloaded(url: string, token: string, guid: string): Promise<string> {
  const answer = await fetch(`${url}/v3/droplets/${guid}/download`, {
    headers: { authorization: `bearer ${token}` },
  });
  const bytes = Buffer.from(await answer.arrayBuffer());
  if (!answer.ok)
    throw new ToldFailure(
      z.looseObject({ errors: z.array(Told) }).parse(JSON.parse(bytes.toString())).errors[0],
    );
  return createHash('sha256').update(bytes).digest('hex');
}

async function listening(
  child: ChildProcess,
  said: { readonly text: string },
  closed: Promise<unknown>,
): Promise<string> {
  const seen = new Promise<string>((resolve) => {
    child.stdout?.on('data', () => {
      const url = /"type":"listening".*?"url":"([^"]+)"/.exec(said.text)?.[1];
      if (url !== undefined) resolve(url);
    });
  });
  const gone = closed.then(() => {
    throw failureOf(said.text) ?? new Error(`serve ended: ${said.text}`);
  });
  return await Promise.race([seen, gone]);
}

const envOf = (place: Place, more: Readonly<Record<string, string>> = {}) => ({
  PATH: process.env['PATH'],
  HOME: place.dir,
  STAGER_HOME: homeOf(place),
  XDG_CONFIG_HOME: join(homeOf(place), 'config'),
  ...more,
});

/** What `stager` writes. @throws what it says of its failure. */
async function cli(
  place: Place,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Done> {
  const child = spawn(STAGER, [...args], { stdio: ['ignore', 'pipe', 'pipe'], env: envOf(place, env) });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  await once(child, 'close');
  const warnings = err.split('\n').filter((line) => line !== '' && !/can't be enforced here/.test(line));
  if (child.exitCode === 0) return done(out, warnings);
  const [, code = 'UNEXPECTED', message = '', next] =
    /error (\w+) \(.*?\)[^:]*: (.*)\n {2}(.*)/.exec(err) ?? [];
  throw new ToldFailure({ code, message: message || err, ...(next !== undefined && { next }) });
}
