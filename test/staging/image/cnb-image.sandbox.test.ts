import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStager, type Stager } from '../../../src/compose.ts';
import { loadConfig } from '../../../src/config/load.ts';
import type { BuiltImage, ImageWish } from '../../../src/staging/build-image.ts';
import { moveToBase, type RebaseWish } from '../../../src/staging/rebase-image.ts';
import type { RegistryClient } from '../../../src/stores/registry/client.ts';
import { readLayout } from '../../../src/stores/registry/layout.ts';
import { parseImageReference } from '../../../src/stores/registry/reference.ts';
import { isRoot, unlessRoot } from '../../support/as-root.ts';
import { makeBashStack } from '../../support/bash-stack.ts';
import { type DockerRegistry, hasProgram, startRegistry } from '../../support/docker-registry.ts';
import { itIsTakenByEngines, skopeo } from '../../support/engines.ts';
import { writeAt } from '../cnb/support.ts';
import { CNB_DROPLET, writeCnbDroplet } from './cnb-droplet.ts';
import { builtImage, packDroplet, ranImage } from './support.ts';

const { signal } = new AbortController();
const TOOLS = ['docker-registry', 'skopeo', 'umoci', 'buildah', 'podman'] as const;
for (const name of TOOLS)
  if (!hasProgram(name)) process.stderr.write(`NOT RUN: what needs ${name}, which is not installed\n`);

let dir = '';
let stager: Stager;
let client: RegistryClient;
let registry: DockerRegistry | undefined;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stager-cnb-image-'));
  execFileSync('chmod', ['755', dir]);
  stager = openStager(await loadConfig({ flags: { home: join(dir, 'home') }, machineOnly: true }));
  client = await stager.registryClient(signal);
  makeBashStack(join(dir, 'bash'));
  await stager.stacks.add('bash', join(dir, 'bash'), { signal });
  writeCnbDroplet(join(dir, 'droplet'));
  pack('droplet');
  if (hasProgram('docker-registry')) registry = await startRegistry();
});

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
  await stager.close();
  await rm(dir, { recursive: true, force: true });
});

const pack = (name: string): void => packDroplet(dir, name);
const build = (droplet: string, more: Partial<ImageWish> = {}): Promise<BuiltImage> =>
  builtImage({ stager, dir }, droplet, more);

const rebase = (wish: Omit<RebaseWish, 'sourceDateEpoch'>): Promise<BuiltImage> =>
  moveToBase({ ...wish, sourceDateEpoch: 0 }, { client, clock: stager.clock, signal });

const said = `it's a layer|said "it's a layer"|web only|one,two|`;

describe('a droplet of Cloud Native Buildpacks as an image', () => {
  it('has the layers, labels and variables of their lifecycle, and starts by the rules of its launcher', async () => {
    const built = await build('droplet.tgz');
    expect((await build('droplet.tgz')).digest).toBe(built.digest);
    const titles = built.layers.map(({ title }) => title);
    expect(titles).toEqual([
      'stack bash',
      "Layer: 'tool', Created by buildpack: a/one@1.0.0",
      "Layer: 'late', Created by buildpack: b/two@2.0.0",
      'Software Bill-of-Materials',
      'Application Slice: 1',
      'Application Slice: 2',
      'Buildpacks Application Launcher',
      'Buildpacks Launcher Config',
      'Buildpacks Process Types',
    ]);
    const { config } = await readLayout(join(dir, 'layout'));
    const [base, tool, late, sbom, slice, rest, launcher, settings, types] = config.rootfs.diff_ids;
    expect(config.config).toMatchObject({
      User: '2000:2000',
      Entrypoint: ['/cnb/process/web'],
      WorkingDir: '/home/vcap/workspace',
      Env: [
        'HOME=/home/vcap',
        'CNB_LAYERS_DIR=/home/vcap/layers',
        'CNB_APP_DIR=/home/vcap/workspace',
        'CNB_PLATFORM_API=0.14',
        'CNB_DEPRECATION_MODE=quiet',
        'PATH=/cnb/process:/cnb/lifecycle:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      ],
    });
    const labels = config.config?.Labels ?? {};
    expect(labels).toMatchObject({
      'io.buildpacks.stack.id': 'bash',
      'io.buildpacks.rebasable': 'true',
      'io.buildpacks.project.metadata': '{}',
      mine: 'yes',
    });
    expect(JSON.parse(labels['io.buildpacks.lifecycle.metadata'] ?? '')).toEqual({
      app: [{ sha: slice }, { sha: rest }],
      sbom: { sha: sbom },
      buildpacks: [
        {
          key: 'a/one',
          version: '1.0.0',
          layers: {
            tool: { sha: tool, data: { version: '1.2' }, build: true, launch: true, cache: false },
          },
          store: { metadata: { kept: 'k' } },
        },
        {
          key: 'b/two',
          version: '2.0.0',
          layers: { late: { sha: late, data: null, build: false, launch: true, cache: false } },
        },
      ],
      config: { sha: settings },
      launcher: { sha: launcher },
      'process-types': { sha: types },
      runImage: { topLayer: base, reference: 'stack:bash' },
      stack: { runImage: {} },
    });
    expect(JSON.parse(labels['io.buildpacks.build.metadata'] ?? '')).toMatchObject({
      buildpacks: [{ id: 'a/one', version: '1.0.0', homepage: 'https://example.com' }, { id: 'b/two' }],
      processes: [
        {
          type: 'web',
          command: ['tool', 'always'],
          args: ['by default'],
          direct: true,
          buildpackID: 'a/one',
        },
        { type: 'shell' },
        { type: 'words' },
        { type: 'below', 'working-dir': '/home/vcap/workspace/static' },
      ],
      'buildpack-default-process-type': 'web',
    });
    const ran = await ranImage(stager, join(dir, 'layout'));
    expect(ran).toMatchObject({ code: 0, warnings: [] });
    expect(ran.lines).toEqual(['out', `tool[always by default] in /home/vcap/workspace: ${said}`]);
  });

  it.runIf(hasProgram('umoci'))('is unpacked by umoci, slices and all', () => {
    execFileSync('umoci', ['unpack', '--rootless', '--image', 'layout:v1', 'bundle'], {
      cwd: dir,
      stdio: 'ignore',
    });
    const home = join(dir, 'bundle/rootfs/home/vcap');
    const kept = Object.entries(CNB_DROPLET).filter(
      ([path]) => !/^layers\/[ab]_[^/]+\.toml$|^layers\/[ab]_\w+\/\w+\.toml$/.test(path),
    );
    const found = execFileSync('find', ['.', '-type', 'f', '-printf', '%P\\n'], {
      cwd: home,
      encoding: 'utf8',
    });
    expect(found.trim().split('\n').sort()).toEqual(kept.map(([path]) => path).sort());
  });

  itIsTakenByEngines(() => dir, {
    entrypoint: '[/cnb/process/web]',
    ran: (run) =>
      expect(run).toEqual({
        code: 0,
        lines: ['out', `tool[always by default] in /home/vcap/workspace: ${said}`],
      }),
  });

  it('is refused what can be no launcher', async () => {
    await expect(build('droplet.tgz', { launcher: join(dir, 'droplet.tgz') })).rejects.toMatchObject({
      code: 'USAGE',
    });
  });
});

describe.runIf(hasProgram('docker-registry'))('such an image in a registry', () => {
  const push = { kind: 'push' } as const;
  const host = (): string => registry?.host ?? '';
  const named = (name: string) => parseImageReference(`${host()}/${name}`);

  async function pushBase(name: string, file: string): Promise<void> {
    writeAt(join(dir, 'bash', file), file);
    await stager.stacks.add(file.replace('/', '-'), join(dir, 'bash'), { signal });
    writeAt(join(dir, 'nothing/app/x'), '');
    pack('nothing');
    await build('nothing.tgz', { target: named(name), to: push, base: `stack:${file.replace('/', '-')}` });
  }

  it('sends only the app after a change, and moves onto another base with its layers as they are', async () => {
    await pushBase('run:old', 'etc/old');
    const base = `${host()}/run:old`;
    const mirrors = [`${host()}/run:new`];
    const first = await build('droplet.tgz', { target: named('app:v1'), to: push, base, mirrors });
    writeCnbDroplet(join(dir, 'changed'), { ...CNB_DROPLET, 'workspace/index': 'changed\n' });
    pack('changed');
    const second = await build('changed.tgz', { target: named('app:v1'), to: push, base, mirrors });
    expect(second.pushed).toMatchObject({ uploaded: 2 });

    await pushBase('run:new', 'etc/new');
    await pushBase('run:foreign', 'etc/foreign');
    const image = `${host()}/app:v1`;
    const rebased = await rebase({ image, base: `${host()}/run:new`, target: named('app:v2'), to: push });
    expect(rebased.pushed).toMatchObject({ uploaded: 1 });
    const digests = (built: BuiltImage) => built.layers.slice(-8).map(({ digest }) => digest);
    expect(digests(rebased)).toEqual(digests(second));
    expect(digests(rebased)).not.toEqual(digests(first));
    const { config } = await client.image(named('app:v2'));
    const { runImage } = JSON.parse(config.config?.Labels?.['io.buildpacks.lifecycle.metadata'] ?? '');
    expect(runImage).toEqual({
      topLayer: config.rootfs.diff_ids.at(-9),
      reference: expect.stringMatching(/\/run@sha256:/),
      image: base,
      mirrors,
    });
    expect((await ranImage(stager, `${host()}/app:v2`)).lines).toContain('etc/new');

    const foreign = { image, base: `${host()}/run:foreign`, target: named('app:v3'), to: push };
    await expect(rebase(foreign)).rejects.toMatchObject({
      code: 'IMAGE_INVALID',
      message: expect.stringContaining(`its bases are ${base}, ${mirrors[0]}, and not ${host()}/run:foreign`),
    });
    expect((await rebase({ ...foreign, force: true })).warnings).toHaveLength(1);
    const forced = await client.image(named('app:v3'));
    const label = JSON.parse(forced.config.config?.Labels?.['io.buildpacks.lifecycle.metadata'] ?? '');
    expect(label.stack).toEqual({ runImage: { image: `${host()}/run:foreign` } });
  });

  // Debian 12's skopeo wants to give what it unpacks to the owner that the tar names.
  it.runIf(hasProgram('skopeo') && isRoot)(`is copied by skopeo without a change${unlessRoot}`, async () => {
    const { digest } = await build('droplet.tgz', {
      to: { kind: 'tar', file: join(dir, 'cnb.tar') },
      sourceDateEpoch: 1_700_000_000,
    });
    skopeo(
      dir,
      'copy',
      '--insecure-policy',
      '--dest-tls-verify=false',
      'oci-archive:cnb.tar',
      `docker://${host()}/copied:v1`,
    );
    expect(
      JSON.parse(skopeo(dir, 'inspect', '--tls-verify=false', `docker://${host()}/copied:v1`)),
    ).toMatchObject({
      Digest: digest,
      Labels: { 'io.buildpacks.stack.id': 'bash' },
    });
  });
});
