import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStager, type Stager } from '../../../src/compose.ts';
import { loadConfig } from '../../../src/config/load.ts';
import type { BuiltImage, ImageWish } from '../../../src/staging/build-image.ts';
import { layoutImage } from '../../../src/staging/image/bases.ts';
import { dropletLayers } from '../../../src/staging/image/image-layers.ts';
import { imageTexts, packLayer } from '../../../src/staging/image/image-parts.ts';
import { imageFacts } from '../../../src/staging/inspect-image.ts';
import { moveToBase } from '../../../src/staging/rebase-image.ts';
import { pathOf } from '../../../src/stores/blobs/port/key.ts';
import { MEDIA, machineArch } from '../../../src/stores/registry/documents.ts';
import { writeLayout } from '../../../src/stores/registry/layout.ts';
import { parseImageReference } from '../../../src/stores/registry/reference.ts';
import { newGuid } from '../../../src/words/ids.ts';
import { isRoot, unlessRoot } from '../../support/as-root.ts';
import { makeBashStack } from '../../support/bash-stack.ts';
import { type DockerRegistry, hasProgram, startRegistry } from '../../support/docker-registry.ts';
import { itIsTakenByEngines, skopeo } from '../../support/engines.ts';
import { builtImage, packDroplet, ranImage } from './support.ts';

const { signal } = new AbortController();
const withRegistry = hasProgram('docker-registry');
for (const name of ['docker-registry', 'skopeo', 'umoci', 'buildah', 'podman']) {
  if (!hasProgram(name)) process.stderr.write(`NOT RUN: what needs ${name}, which is not installed\n`);
}

let dir = '';
let stager: Stager;
let registry: DockerRegistry | undefined;
/** In the layout. */
let first: BuiltImage;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stager-image-'));
  execFileSync('chmod', ['755', dir]);
  stager = openStager(await loadConfig({ flags: { home: join(dir, 'home') }, machineOnly: true }));
  makeBashStack(join(dir, 'bash'));
  await stager.stacks.add('bash', join(dir, 'bash'), { signal });
  if (withRegistry) registry = await startRegistry();
  const files: Record<string, string> = {
    'app/index': 'hi\n',
    'app/node_modules/x/i.js': 'module\n',
    'deps/0/bin/tool': 'tool\n',
    'profile.d/a.sh': 'export FROM_PROFILE=yes\n',
    'staging_info.yml': JSON.stringify({
      start_command: 'echo "web $FROM_PROFILE in $PWD as $(id -u), $(cat index)"; exit 7',
    }),
  };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(dir, 'droplet', path, '..'), { recursive: true });
    await writeFile(join(dir, 'droplet', path), text);
  }
  pack('droplet');
  first = await build('droplet.tgz');
});

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
  await stager.close();
  await rm(dir, { recursive: true, force: true });
});

const bytes = (content: Buffer): Readable => Readable.from([content], { objectMode: false });
const pack = (name: string): void => packDroplet(dir, name);
const build = (droplet: string, more: Partial<ImageWish> = {}): Promise<BuiltImage> =>
  builtImage({ stager, dir }, droplet, more);

describe('a droplet as an image', () => {
  it('is the same image each time, and starts as stager run starts the droplet', async () => {
    expect((await build('droplet.tgz')).digest).toBe(first.digest);
    expect(first.layers.map(({ title }) => title)).toEqual([
      'stack bash',
      'stager: launcher',
      'buildpack 0',
      'app: node_modules',
      'droplet: commands, profile scripts, staging info',
      'app',
    ]);
    const ran = await ranImage(stager, join(dir, 'layout'));
    expect(ran).toMatchObject({ code: 7, warnings: [] });
    expect(ran.lines.at(-1)).toBe('web yes in /home/vcap/app as 2000, hi');
    const task = await ranImage(stager, join(dir, 'layout'), ['echo "$FROM_PROFILE $1"; exit 3']);
    expect(task).toMatchObject({ code: 3, lines: ['yes '] });
    expect(await ranImage(stager, join(dir, 'layout'), ['echo', "it's", '$HOME'])).toMatchObject({
      code: 0,
      lines: ["it's $HOME"],
    });
  });

  it('is refused when it has no app', async () => {
    await mkdir(join(dir, 'other/workspace'), { recursive: true });
    pack('other');
    await expect(build('other.tgz')).rejects.toMatchObject({
      code: 'DROPLET_INVALID',
      message: 'the droplet has no directory ./app',
    });
  });

  it.runIf(withRegistry)(
    'sends only the app after a change of the app, and moves onto a new base without it',
    async () => {
      const host = registry?.host ?? '';
      const target = parseImageReference(`${host}/app:v1`);
      const to = { kind: 'push' } as const;
      const first = await build('droplet.tgz', { target, to });
      expect(first.pushed).toMatchObject({ uploaded: 7, present: 0 });
      await cp(join(dir, 'droplet'), join(dir, 'changed'), { recursive: true });
      await writeFile(join(dir, 'changed/app/index'), 'changed\n');
      pack('changed');
      const second = await build('changed.tgz', { target, to });
      expect(second.pushed).toMatchObject({ uploaded: 2, present: 5 });
      const moved = second.layers.filter(
        ({ digest }) => !first.layers.some((layer) => layer.digest === digest),
      );
      expect(moved.map(({ title }) => title)).toEqual(['app']);

      await writeFile(join(dir, 'bash/etc/newer'), 'newer\n');
      await stager.stacks.add('newer', join(dir, 'bash'), { signal });
      await mkdir(join(dir, 'nothing/app'), { recursive: true });
      pack('nothing');
      const base = parseImageReference(`${host}/base:v2`);
      await build('nothing.tgz', { target: base, to, base: 'stack:newer' });
      const client = await stager.registryClient(signal);
      const rebased = await moveToBase(
        {
          image: `${host}/app:v1`,
          base: `${host}/base:v2`,
          target: parseImageReference(`${host}/app:v2`),
          to,
          sourceDateEpoch: 0,
        },
        { client, clock: stager.clock, signal },
      );
      expect(rebased.pushed).toMatchObject({ uploaded: 1 });
      const ran = await ranImage(stager, `${host}/app:v2`, ['cat /etc/newer index']);
      expect(ran.lines).toEqual(['newer', 'changed']);
    },
  );

  // Debian 12's skopeo wants to give what it unpacks to the owner that the tar names.
  it.runIf(withRegistry && hasProgram('skopeo') && isRoot)(
    `is read by skopeo: from the tar to the registry and back it stays what it is${unlessRoot}`,
    async () => {
      const host = registry?.host ?? '';
      const { digest } = await build('droplet.tgz', { to: { kind: 'tar', file: join(dir, 'app.tar') } });
      skopeo(
        dir,
        'copy',
        '--insecure-policy',
        '--dest-tls-verify=false',
        'oci-archive:app.tar',
        `docker://${host}/copied:v1`,
      );
      skopeo(
        dir,
        'copy',
        '--insecure-policy',
        '--src-tls-verify=false',
        `docker://${host}/copied:v1`,
        'oci:back:v1',
      );
      for (const place of ['oci-archive:app.tar', 'oci:back:v1'])
        expect(JSON.parse(skopeo(dir, 'inspect', place)), place).toMatchObject({
          Digest: digest,
          Os: 'linux',
        });
    },
  );

  it.runIf(hasProgram('umoci'))('is unpacked by umoci to the tree of the droplet', async () => {
    execFileSync('umoci', ['unpack', '--rootless', '--image', 'layout:v1', 'bundle'], {
      cwd: dir,
      stdio: 'ignore',
    });
    for (const path of ['app/index', 'app/node_modules/x/i.js', 'deps/0/bin/tool', 'profile.d/a.sh'])
      expect(await readFile(join(dir, 'bundle/rootfs/home/vcap', path), 'utf8')).toBe(
        await readFile(join(dir, 'droplet', path), 'utf8'),
      );
  });

  itIsTakenByEngines(() => dir, {
    entrypoint: '[/lifecycle/process/web]',
    ran: (run) => {
      expect(run).toMatchObject({ code: 7 });
      expect(run.lines.at(-1)).toBe('web yes in /home/vcap/app as 2000, hi');
    },
  });

  it('runs sidecars beside the process, and stops all when one ends or SIGTERM comes', async () => {
    const layoutOf = async (name: string, web: string, sidecar: string): Promise<string> => {
      const sidecars = [{ name: 'agent', command: sidecar, process_types: ['web'] }];
      const spool = join(dir, name, 'spool');
      await mkdir(spool, { recursive: true });
      const base = await layoutImage(join(dir, 'layout'));
      const layers = [...base.layers.slice(0, 1)];
      for (const plan of await dropletLayers(join(dir, 'droplet'), { commands: { web }, sidecars }))
        layers.push(await packLayer(plan, layers.length, { spool, signal }));
      const texts = imageTexts({
        architecture: machineArch(),
        created: '1980-01-01T00:00:01Z',
        run: { ...base.config?.config, Entrypoint: ['/lifecycle/process/web'] },
        layers,
        baseLayers: 1,
      });
      const config = {
        descriptor: texts.configDescriptor,
        open: async (start: number) => bytes(texts.config.subarray(start)),
      };
      const blobs = [...layers, config].map(({ descriptor, open }) => ({
        descriptor,
        open: async () => await open(0),
      }));
      await writeLayout(
        join(dir, name, 'layout'),
        { manifest: texts.manifest, mediaType: MEDIA.manifest, blobs },
        signal,
      );
      return join(dir, name, 'layout');
    };
    const ends = await layoutOf(
      'ends',
      'trap "exit 0" TERM; while :; do sleep 0.1; done',
      'echo "agent $FROM_PROFILE"; exit 5',
    );
    const ended = await ranImage(stager, ends);
    expect(ended.code).toBe(5);
    expect(ended.lines).toContain('agent yes');
    const told = 'trap "echo bye; exit 9" TERM; echo up; while :; do sleep 0.1; done';
    const stopped = await ranImage(stager, await layoutOf('told', told, 'sleep 1000'), [], (text, stop) => {
      if (text === 'up') stop();
    });
    expect(stopped.lines).toContain('bye');
    expect(stopped.code).toBe(9);
  });
});

describe('a droplet of a store whose bytes changed', () => {
  it('is told as damaged there, not as the fault of who staged it', async () => {
    const blobs = await stager.blobs();
    const key = { kind: 'droplets', name: `${newGuid()}/${newGuid()}` } as const;
    const options = { contentType: 'application/gzip', signal };
    await blobs.putFile(key, join(dir, 'droplet.tgz'), options);
    const data = await realpath(join(dir, 'home/blobs', pathOf(key)));
    const bytesOf = await readFile(data);
    const at = bytesOf.length >> 1;
    bytesOf[at] = (bytesOf[at] ?? 0) ^ 1;
    await writeFile(data, bytesOf);
    await expect(build('', { droplet: blobs.location(key) })).rejects.toMatchObject({
      code: 'BLOB_CORRUPT',
      message: expect.stringContaining(key.name),
    });
  });
});

describe('an image of somebody else', () => {
  it('is looked at as the docker lifecycle does, and not unpacked', async () => {
    const client = await stager.registryClient(signal);
    if (registry === undefined) return;
    await build('droplet.tgz', {
      target: parseImageReference(`${registry.host}/looked:v1`),
      to: { kind: 'push' },
    });
    const { result, digest } = await imageFacts(`${registry.host}/looked:v1`, client);
    expect(digest).toMatch(/^sha256:/);
    expect(result).toEqual({
      process_types: { web: '/lifecycle/process/web' },
      lifecycle_metadata: { docker_image: `${registry.host}/looked:v1` },
      lifecycle_type: 'docker',
      execution_metadata:
        '{"entrypoint":["/lifecycle/process/web"],"workdir":"/home/vcap/app","ports":[{"Port":8080,"Protocol":"tcp"}],"user":"2000:2000"}',
    });
    await expect(imageFacts(`${registry.host}/looked:v2`, client)).rejects.toMatchObject({
      code: 'IMAGE_NOT_FOUND',
    });
  });
});
