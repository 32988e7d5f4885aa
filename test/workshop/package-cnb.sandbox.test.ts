import { execFileSync } from 'node:child_process';
import { copyFile, link, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStager, type Stager } from '../../src/compose.ts';
import { loadConfig } from '../../src/config/load.ts';
import { appIdentity, type StageRequest } from '../../src/staging/request/request.ts';
import { run } from '../../src/staging/run-droplet.ts';
import { stageAppWithCnbs } from '../../src/staging/stage-cnb.ts';
import type { StagingRecord } from '../../src/words/staging-record.ts';
import { writeCnbParts } from '../../src/workshop/cnb-parts.ts';
import { serveNode } from './node-package.ts';
import { fill } from './tree.ts';

const { signal } = new AbortController();
let dir = '';
let stager: Stager;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stager-both-'));
  stager = openStager(await loadConfig({ flags: { home: join(dir, 'home') }, machineOnly: true }));
  // A small one goes through the registry, which is quicker; the one of this test takes its place.
  const program = join(dir, 'node');
  await writeFile(program, 'small');
  await using node = await serveNode(program, dir, signal);
  await copyFile(process.execPath, program);
  for (const name of ['one', 'two']) {
    const root = join(dir, 'buildpacks', name);
    await writeCnbParts(root, { id: `x/${name}`, version: '1.0.0', name, arch: 'amd64' }, node);
    await fill(join(root, 'cf'), scripts(name));
    await rm(join(root, 'node/bin/node'));
    await link(program, join(root, 'node/bin/node'));
  }
  await fill(join(dir, 'app'), {
    Procfile: 'worker: echo "$HOME" "$ONE" "$TWO" "$PORT"; tool-of-one; cat "$DEPS_DIR"/../app/made\n',
  });
}, 120_000);

afterAll(async () => {
  await stager.close();
  await rm(dir, { recursive: true, force: true });
});

/** A buildpack for Cloud Foundry, which says what it finds. */
const scripts = (name: string): Record<string, string> => ({
  'bin/detect': '#!/bin/sh\necho asked; exit 0\n',
  'bin/supply': `#!/bin/sh
set -eu
echo "${name} supplies $4 of $(ls "$3" | tr '\\n' ' ')with $(cat "$2/kept" 2>/dev/null || echo nothing), \${HOME_OF_one-no home}"
echo ${name} >"$2/kept"
mkdir -p "$3/$4/bin" "$3/$4/env" "$3/$4/profile.d"
printf '#!/bin/sh\\necho tool of ${name}\\n' >"$3/$4/bin/tool-of-${name}"
chmod +x "$3/$4/bin/tool-of-${name}"
printf 'home of ${name}' >"$3/$4/env/HOME_OF_${name}"
printf 'export ${name.toUpperCase()}="$DEPS_DIR/%s of $HOME"\\n' "$4" >"$3/$4/profile.d/${name}.sh"
printf '[{"name":"tool","version":"1","uri":"npm:tool@1","checksum":"sha512:00"}]' >"$3/$4/installed.json"
`,
  'bin/finalize': `#!/bin/sh
set -eu
tool-of-one
echo made >"$1/made"
printf -- 'processes:\\n- { type: web, command: %s }\\n' "tool-of-${name} && exit 3" >"$3/$4/launch.yml"
`,
  'bin/release': '#!/bin/sh\nexit 1\n',
});

async function stage(): Promise<{ record: StagingRecord; lines: readonly string[] }> {
  const lines: string[] = [];
  const request: StageRequest = {
    source: { kind: 'path', path: join(dir, 'app') },
    app: await appIdentity(join(dir, 'app'), undefined),
    buildpacks: [join(dir, 'buildpacks/one'), join(dir, 'buildpacks/two')],
    stack: 'host',
    env: {},
    services: {},
    memoryMb: 512,
    diskMb: 512,
    timeoutMs: 600_000,
    network: 'host',
    cache: 'use',
    reuse: false,
    keep: 'never',
    ignoreStyle: 'cf',
    trace: false,
    output: join(dir, 'droplet.tgz'),
  };
  const ports = { ...(await stager.stagePorts(signal)), client: await stager.registryClient(signal) };
  const record = await stageAppWithCnbs(request, ports, {
    signal,
    emit: (event) => event.type === 'output' && lines.push(event.text),
  });
  return { record, lines };
}

/** What a process of the droplet says, and how it ends. */
async function says(record: StagingRecord, type: string) {
  const lines: string[] = [];
  const started = await run(
    {
      record,
      target: { kind: 'process', type },
      env: {},
      services: {},
      memoryMb: 256,
      diskMb: 256,
      network: 'host',
      healthCheck: { type: 'process' },
    },
    await stager.runPorts(signal),
    { signal, emit: (event) => event.type === 'log' && lines.push(event.text) },
  );
  return { lines, outcome: await started.done };
}

const member = (path: string): string =>
  execFileSync('tar', ['-xzOf', join(dir, 'droplet.tgz'), path], { encoding: 'utf8' });

describe('buildpacks for Cloud Foundry as Cloud Native Buildpacks', () => {
  it('share an app: all supply, the last finalizes, and what they keep comes back', async () => {
    const first = await stage();
    expect(first.lines).toContain('one supplies 0 of 0 1 with nothing, no home');
    expect(first.lines).toContain('two supplies 1 of 0 1 with nothing, home of one');
    expect(first.lines.filter((line) => line === 'tool of one')).toHaveLength(1);
    expect(first.record.result.process_types).toEqual({
      web: '/home/vcap/layers/x_two/cf/start tool-of-two && exit 3',
      worker: expect.stringContaining('/home/vcap/layers/x_two/cf/start echo'),
    });
    expect(JSON.parse(member('layers/sbom/launch/x_one/cf/sbom.cdx.json'))).toMatchObject({
      components: [{ purl: 'pkg:npm/tool@1' }],
    });

    const again = await stage();
    expect(again.lines).toContain('one supplies 0 of 0 1 with one, no home');
    expect(again.lines).toContain('two supplies 1 of 0 1 with two, home of one');

    const worker = await says(again.record, 'worker');
    const deps = '/home/vcap/layers/x_two/cf/deps';
    const app = '/home/vcap/workspace';
    expect(worker.lines[0]).toMatch(new RegExp(`^${app} ${deps}/0 of ${app} ${deps}/1 of ${app} \\d+$`));
    expect(worker.lines.slice(1)).toEqual(['tool of one', 'made']);
    const web = await says(again.record, 'web');
    expect(web.lines).toEqual(['tool of two']);
    expect(web.outcome).toMatchObject({ exitCode: 3 });
  });
});
