import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStager, type Stager } from '../../../src/compose.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { appIdentity, type StageRequest } from '../../../src/staging/request/request.ts';
import { type RunWish, run } from '../../../src/staging/run-droplet.ts';
import { stageAppWithCnbs } from '../../../src/staging/stage-cnb.ts';
import type { RegistryClient } from '../../../src/stores/registry/client.ts';
import type { BuildEvent } from '../../../src/words/events.ts';
import type { StagingRecord } from '../../../src/words/staging-record.ts';
import { writeAt, writePackage } from './support.ts';

const { signal } = new AbortController();
let dir = '';
let stager: Stager;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stager-cnb-'));
  chmodSync(dir, 0o755);
  stager = openStager(await loadConfig({ flags: { home: join(dir, 'home') }, machineOnly: true }));
  write('app/file', 'hello\n');
});

afterAll(async () => {
  await stager.close();
  await rm(dir, { recursive: true, force: true });
});

function write(path: string, text: string, mode = 0o644): void {
  writeAt(join(dir, path), text, mode);
}

interface Scripts {
  readonly api?: string;
  readonly toml?: string;
  readonly detect?: string;
  readonly build?: string;
}

/** Writes a buildpack below `root` and returns its directory. */
function buildpack(
  id: string,
  { api = '0.10', toml = '', detect, build }: Scripts,
  root = 'buildpacks',
): string {
  const at = `${root}/${id.replace('/', '_')}/1.0.0`;
  write(`${at}/buildpack.toml`, `api = "${api}"\n[buildpack]\nid = "${id}"\nversion = "1.0.0"\n${toml}`);
  if (detect !== undefined) write(`${at}/bin/detect`, `#!/bin/sh\nset -e\n${detect}\n`, 0o755);
  if (build !== undefined) write(`${at}/bin/build`, `#!/bin/sh\nset -e\n${build}\n`, 0o755);
  return join(dir, at);
}

async function stage(
  buildpacks: readonly string[],
  env: Readonly<Record<string, string>> = {},
  more: Partial<StageRequest> = {},
  { client, extraCas = [] }: { readonly client?: RegistryClient; readonly extraCas?: readonly string[] } = {},
) {
  const lines: string[] = [];
  const output = join(dir, 'droplet.tgz');
  const request: StageRequest = {
    source: { kind: 'path', path: join(dir, 'app') },
    app: await appIdentity(join(dir, 'app'), undefined),
    buildpacks,
    stack: 'host',
    env,
    services: {},
    memoryMb: 256,
    diskMb: 256,
    timeoutMs: 600_000,
    network: 'host',
    cache: 'none',
    reuse: false,
    keep: 'never',
    ignoreStyle: 'cf',
    trace: false,
    output,
    ...more,
  };
  const ports = {
    ...(await stager.stagePorts(signal)),
    client: client ?? (await stager.registryClient(signal)),
    extraCas,
  };
  const emit = (event: BuildEvent): void => {
    if (event.type === 'output') lines.push(event.text);
  };
  const record = await stageAppWithCnbs(request, ports, { signal, emit });
  return {
    record,
    result: record.result,
    lines,
    members: execFileSync('tar', ['-tzf', output], { encoding: 'utf8' }).trim().split('\n'),
  };
}

const TOOL = {
  detect: `printf '[[provides]]\\nname = "tool"\\n' > "$2"`,
  build: `mkdir -p "$1/tool/bin" "$1/tool/env" "$1/only-cache" "$1/nothing"
printf '#!/bin/sh\\necho from the tool\\n' > "$1/tool/bin/tool"; chmod +x "$1/tool/bin/tool"
printf v1 > "$1/tool/env/TOOL.append"
printf '[types]\\nlaunch = true\\nbuild = true\\n' > "$1/tool.toml"
printf '[types]\\ncache = true\\n' > "$1/only-cache.toml"; : > "$1/nothing.toml"
ln -s /home/vcap/layers/a_tool/tool link; command -v tool || echo no tool yet`,
};
const USER = {
  detect: `printf '[[requires]]\\nname = "tool"\\n[requires.metadata]\\nwhy = "because"\\n' > "$CNB_BUILD_PLAN_PATH"`,
  build: `tool; echo "$TOOL $USERVAR $(id -u) $PWD $CNB_TARGET_OS"; . /etc/os-release; [ "$ID$VERSION_ID" = "$CNB_TARGET_DISTRO_NAME$CNB_TARGET_DISTRO_VERSION" ]; cat "$CNB_BP_PLAN_PATH"
printf '[[processes]]\\ntype = "worker"\\ncommand = ["tool"]\\nargs = ["a b"]\\n' > "$CNB_LAYERS_DIR/launch.toml"`,
};

describe('Cloud Native Buildpacks', () => {
  it('#83 #85 make a droplet as the cnb lifecycle leaves it', async () => {
    const asked = { detect: USER.detect, build: `cat "$CNB_BP_PLAN_PATH"; ${USER.build}` };
    const { result, lines, members } = await stage([buildpack('a/tool', TOOL), buildpack('a/user', asked)], {
      USERVAR: 'u',
    });
    expect(lines).toContain('no tool yet');
    expect(lines).toContain('from the tool');
    expect(lines).toContain('v1 u 2000 /home/vcap/workspace linux');
    expect(result).toEqual({
      lifecycle_metadata: {
        buildpacks: [
          { key: 'a/tool', name: 'a/tool@1.0.0', version: '1.0.0' },
          { key: 'a/user', name: 'a/user@1.0.0', version: '1.0.0' },
        ],
      },
      process_types: { worker: 'tool a b', web: 'tool a b' },
      execution_metadata: '',
      lifecycle_type: 'cnb',
    });
    expect(members).toEqual(
      expect.arrayContaining([
        'layers/a_tool/tool/bin/tool',
        'layers/config/metadata.toml',
        'workspace/file',
      ]),
    );
    expect(members.filter((name) => /only-cache\/|nothing/.test(name))).toEqual([
      'layers/a_tool/nothing.toml',
    ]);
    const listed = execFileSync('tar', ['-tvzf', join(dir, 'droplet.tgz'), 'workspace/link'], {
      encoding: 'utf8',
    });
    expect(listed).toContain('-> ../layers/a_tool/tool');
  });

  it('#73 #78 #79 #87 give buildpacks back what they left, and the droplet what they did not make again', async () => {
    const cacher = buildpack('c/cacher', {
      toml: 'sbom-formats = ["application/vnd.cyclonedx+json"]\n',
      detect: 'exit 0',
      build: `cd "$1"; for name in *; do [ -e "$name" ] && echo "found $name"; done
cat *.toml 2>/dev/null || true
if [ -e kept.toml ]; then printf '[types]\\nlaunch = true\\n' | cat - kept.toml > new; mv new kept.toml
else mkdir -p kept/env; printf launched > kept/env/KEPT; printf '[types]\\nlaunch = true\\n[metadata]\\nv = 1\\n' > kept.toml; fi
mkdir -p cached both; [ -e cached/file ] || { echo making it; date > cached/file; }
printf '[types]\\ncache = true\\n[metadata]\\nc = 1\\n' > cached.toml
printf '[types]\\nlaunch = true\\nbuild = true\\n' > both.toml
printf '[metadata]\\ns = "store"\\n' > store.toml; echo '{}' > kept.sbom.cdx.json; echo '{}' > build.sbom.cdx.json
printf '[[processes]]\\ntype = "web"\\ncommand = ["sh", "-c"]\\nargs = ["echo says $KEPT $0", "it"]\\n' > launch.toml`,
    });
    const first = await stage([cacher], {}, { cache: 'use' });
    expect(first.lines).toContain('making it');
    const second = await stage([cacher], {}, { cache: 'use' });
    expect(second.lines.filter((line) => line.startsWith('found'))).toEqual(
      ['cached', 'cached.toml', 'kept.sbom.cdx.json', 'kept.toml', 'store.toml'].map((it) => `found ${it}`),
    );
    expect(second.lines).toEqual(expect.arrayContaining(['v = 1', 'c = 1', 's = "store"']));
    expect(second.lines.filter((line) => /types|launch|making/.test(line))).toEqual([]);
    for (const { members } of [first, second]) {
      expect(members).toEqual(
        expect.arrayContaining([
          'layers/c_cacher/kept/env/KEPT',
          'layers/sbom/launch/c_cacher/kept/sbom.cdx.json',
          'layers/sbom/build/c_cacher/sbom.cdx.json',
        ]),
      );
      expect(members.filter((name) => name.startsWith('layers/c_cacher/cached/'))).toEqual([]);
    }
    await damageLayers(first.record);
    const third = await stage([cacher], {}, { cache: 'use' });
    expect(third.lines).toContain('making it');
    expect(third.record.warnings.join()).toContain('layer cached');
    expect((await stage([cacher], {}, { cache: 'use' })).lines).not.toContain('making it');
    expect((await stage([cacher], {}, { cache: 'clear' })).lines).toContain('making it');
    expect(await says({ record: third.record, target: { kind: 'process' } })).toContain('says launched it');
  });

  it('#81 #86 run by the rules of their launcher, from the store and from a file', async () => {
    const runner = buildpack('r/runner', {
      detect: 'exit 0',
      build: `mkdir -p "$1/l/exec.d/odd" "$1/l/env.launch/odd" "$1/l/bin"
printf '#!/bin/sh\\necho "EXECD = \\"$WHO from exec.d\\"" >&3\\n' > "$1/l/exec.d/one"
printf '#!/bin/sh\\necho ran "$@" in "$PWD" with "$EXECD" "$ODD"\\n' > "$1/l/bin/prog"
printf odd > "$1/l/env.launch/odd/ODD"; chmod +x "$1/l/exec.d/one" "$1/l/bin/prog"; mkdir sub
printf '[types]\\nlaunch = true\\n' > "$1/l.toml"
printf '[[processes]]\\ntype = "odd"\\ncommand = ["prog", "$x"]\\nworking-dir = "/home/vcap/workspace/sub"\\n' > "$1/launch.toml"`,
    });
    const { record } = await stage([runner]);
    const env = { WHO: 'I' };
    const odd = { kind: 'process', type: 'odd' } as const;
    const ran = 'ran $x in /home/vcap/workspace/sub with I from exec.d odd';
    expect(await says({ record, target: odd, env })).toContain(ran);
    expect(await says({ droplet: join(dir, 'droplet.tgz'), target: odd, env })).toContain(ran);
    const task = { kind: 'task', command: 'prog "$EXECD"; echo $HOME $TMPDIR' } as const;
    expect(await says({ record, target: task, env })).toEqual(
      expect.arrayContaining(['ran I from exec.d in /home/vcap/workspace with I from exec.d ', '/home/vcap']),
    );
  });

  it('are refused layers that are links, and never see or change a file of the machine through one', async () => {
    write('outside/secret', 'secret\n');
    const place = join(dir, 'outside');
    for (const [build, message] of [
      [`ln -s ${place} "$1/l"; printf '[types]\nlaunch = true\n' > "$1/l.toml"`, 'h_hostile/l was replaced'],
      [`rmdir "$1"; ln -s ${place} "$1"`, 'h_hostile was replaced'],
      [`ln -s ${place}/secret "$1/launch.toml"`, undefined],
      [`rm -rf ../layers/config; ln -s ${place} ../layers/config`, 'layers/config was replaced'],
      [`cd ..; mv workspace gone; ln -s ${place} workspace`, 'workspace was replaced'],
      ['touch "$1/launch.sbom.other.json"', 'format that is not known'],
      ['touch "$1/launch.sbom.cdx.json"', 'does not declare'],
    ] as const) {
      const hostile = stage([buildpack('h/hostile', { detect: 'exit 0', build })]);
      if (message === undefined) expect((await hostile).result.process_types).toEqual({});
      else
        await expect(hostile).rejects.toMatchObject({
          code: 'COMPILE_FAILED',
          message: expect.stringContaining(message),
        });
    }
    expect(readdirSync(place)).toEqual(['secret']);
  });

  it('come from a package with a composite one, whose first group that passes builds', async () => {
    const root = 'package/cnb/buildpacks';
    buildpack('in/no', { detect: 'exit 100', build: 'exit 1' }, root);
    buildpack('in/yes', { detect: 'exit 0', build: 'echo built' }, root);
    const entry = (id: string): string => `[[order]]\n[[order.group]]\nid = "${id}"\nversion = "1.0.0"\n`;
    buildpack('in/all', { toml: entry('in/no') + entry('in/yes') }, root);
    const { result, lines } = await stage([
      writePackage(join(dir, 'package.cnb'), {
        layers: [join(dir, 'package')],
        labels: { 'io.buildpacks.buildpackage.metadata': { id: 'in/all', version: '1.0.0' } },
      }),
    ]);
    expect(lines).toContain('built');
    expect(result).toMatchObject({ lifecycle_metadata: { buildpacks: [{ key: 'in/yes' }] } });
  });

  it('trust the authorities of the operator, where the app has no others', async () => {
    const asking = buildpack('ca/asking', {
      detect: 'exit 0',
      build:
        'grep -c OPERATOR "$NODE_EXTRA_CA_CERTS"; cat "$2/env/NODE_EXTRA_CA_CERTS"; echo; echo "$PIP_CERT"',
    });
    const authority = '-----BEGIN CERTIFICATE-----\nOPERATOR\n-----END CERTIFICATE-----';
    const { lines } = await stage([asking], { PIP_CERT: '/own' }, {}, { extraCas: [authority] });
    expect(lines).toEqual(['1', '/platform/stager/ca-certificates.crt', '/own']);
  });

  it('come from archives behind a password and from the Buildpack Registry, whose index may be out of reach', async () => {
    const at = buildpack('p/secret', { detect: 'exit 0', build: 'echo built' });
    execFileSync('tar', ['-czf', join(dir, 'secret.tgz'), '-C', at, '.']);
    await using server = await serving((authorization) =>
      authorization === 'Bearer letmein' ? readFileSync(join(dir, 'secret.tgz')) : undefined,
    );
    const url = `http://${server.host}/secret.tgz`;
    const client = await stager.registryClient(signal, { only: { [server.host]: { token: 'letmein' } } });
    expect((await stage([url], {}, {}, { client })).lines).toContain('built');
    await expect(stage([url])).rejects.toMatchObject({ code: 'BUILDPACK_DOWNLOAD_FAILED' });
    const cnbRegistry = `file://${dir}/no-index.git`;
    await expect(stage(['urn:cnb:registry:a/b'], {}, { cnbRegistry })).rejects.toMatchObject({
      code: 'BUILDPACK_DOWNLOAD_FAILED',
      message: expect.stringContaining('the index of the Buildpack Registry'),
    });
    const git = (...args: readonly string[]) => execFileSync('git', ['-C', join(dir, 'index'), ...args]);
    write(
      'index/3/on/a_one',
      JSON.stringify({ ns: 'a', name: 'one', version: '1.0.0', addr: '127.0.0.1:1/a' }),
    );
    git('init', '-q');
    git('add', '.');
    git('-c', 'user.name=t', '-c', 'user.email=t@example.com', 'commit', '-qm', 'index');
    const index = { cnbRegistry: `file://${dir}/index` };
    const wanted = stage(['urn:cnb:registry:a/none'], {}, index);
    await expect(wanted).rejects.toMatchObject({ code: 'BUILDPACK_NOT_FOUND' });
    await expect(stage(['urn:cnb:registry:a/one@2.0.0'], {}, index)).rejects.toMatchObject({
      next: 'It has 1.0.0.',
    });
  });

  it('say who refused the app, and which build failed', async () => {
    const no = buildpack('b/no', { detect: 'exit 100', build: 'exit 1' });
    await expect(stage([no])).rejects.toMatchObject({
      code: 'NO_APP_DETECTED',
      message: expect.stringContaining('b/no@1.0.0: fail'),
    });
    const broken = buildpack('b/broken', { detect: 'exit 0', build: 'exit 9' });
    await expect(stage([broken])).rejects.toMatchObject({
      code: 'COMPILE_FAILED',
      message: expect.stringContaining('exit 9'),
    });
  });
});

/** A server that answers with what it is given for an authorization, or 401. */
async function serving(bytesFor: (authorization: string | undefined) => Buffer | undefined) {
  const server = createServer((request, answer) => {
    const bytes = bytesFor(request.headers.authorization);
    answer.writeHead(bytes === undefined ? 401 : 200).end(bytes);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return {
    host: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** What a run of a droplet says. */
async function says(wish: Pick<RunWish, 'record' | 'droplet' | 'target'> & Partial<Pick<RunWish, 'env'>>) {
  const lines: string[] = [];
  const common = { env: {}, services: {}, memoryMb: 256, diskMb: 256, network: 'host' } as const;
  const started = await run(
    { ...common, ...wish, healthCheck: { type: 'process' } },
    await stager.runPorts(signal),
    { signal, emit: (event) => event.type === 'log' && lines.push(event.text) },
  );
  await started.done;
  return lines;
}

/** Overwrites a byte of every stored layer. */
async function damageLayers({ app }: StagingRecord): Promise<void> {
  const blobs = await stager.blobs();
  for await (const { key } of blobs.names('buildpack_cache', { signal, prefix: `${app.guid}/` })) {
    if (key.name.endsWith('.json')) continue;
    const path = fileURLToPath(blobs.location(key));
    const bytes = readFileSync(path);
    bytes.writeUInt8(bytes.readUInt8(20) ^ 0xff, 20);
    chmodSync(path, 0o600);
    writeFileSync(path, bytes);
  }
}
