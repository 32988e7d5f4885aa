import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256OfBytes } from '../../../src/words/digest.ts';
import { writeAt } from '../../staging/cnb/support.ts';
import { Cli } from '../../support/cli.ts';
import { type DockerRegistry, hasProgram, startRegistry } from '../../support/docker-registry.ts';

/** STAGER_TEST_KILLS=200 for as many as before a release. */
const KILLS = Number(process.env['STAGER_TEST_KILLS'] ?? '4');
const here = hasProgram('docker-registry');
if (!here) process.stderr.write('NOT RUN: kills of pushes, since docker-registry is not installed\n');

describe.runIf(here)("stager image build --push to Debian's registry, killed at random moments", () => {
  let cli: Cli;
  let registry: DockerRegistry;
  beforeAll(async () => {
    cli = await Cli.make();
    registry = await startRegistry();
  });
  afterAll(async () => {
    await registry[Symbol.asyncDispose]();
    await cli[Symbol.asyncDispose]();
  });

  /** Every layer is new. */
  function droplet(): string {
    for (const path of ['app/file', 'app/node_modules/x', 'deps/0/a', 'deps/1/b'])
      writeAt(join(cli.dir, 'droplet', path), randomBytes(1_500_000));
    execFileSync('tar', ['-czf', 'droplet.tgz', '-C', 'droplet', '.'], { cwd: cli.dir });
    return join(cli.dir, 'droplet.tgz');
  }

  const push = (file: string, tag: string) =>
    cli.start([
      'image',
      'build',
      file,
      '--tag',
      `${registry.host}/app:${tag}`,
      '--base',
      'scratch',
      '--push',
    ]);

  const get = (path: string): Promise<Response> =>
    fetch(`http://${registry.host}/v2/app/${path}`, {
      headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
    });

  /** What is wrong with what the tags name. */
  async function faults(): Promise<readonly string[]> {
    const wrong: string[] = [];
    const { tags } = (await (await get('tags/list')).json()) as { tags: string[] | null };
    for (const tag of tags ?? []) {
      const answer = await get(`manifests/${tag}`);
      if (!answer.ok) wrong.push(`${tag}: no manifest`);
      const { config, layers } = (await answer.json()) as { config: Blob; layers: Blob[] };
      for (const { digest } of [config, ...layers]) {
        const blob = await get(`blobs/${digest}`);
        const bytes = Buffer.from(await blob.arrayBuffer());
        if (!blob.ok || `sha256:${sha256OfBytes(bytes)}` !== digest) wrong.push(`${tag}: ${digest}`);
      }
    }
    return wrong;
  }
  interface Blob {
    readonly digest: string;
  }

  it('leave no tag without all that it names, and the next push succeeds', async () => {
    const first = await push(droplet(), 'whole').ended;
    expect(first, first.stderr).toMatchObject({ code: 0 });
    let longest = first.durationMs;
    const seen = { killed: 0, ended: 0, tags: 1 };
    for (let kill = 0; kill < KILLS; kill += 1) {
      const file = droplet();
      const { child, ended } = push(file, `v${kill}`);
      await setTimeout(longest * (0.15 + Math.random()));
      child.kill('SIGKILL');
      const { code, durationMs } = await ended;
      if (code === 0) longest = durationMs;
      seen[code === 0 ? 'ended' : 'killed'] += 1;
      expect(await faults(), `after kill ${kill}`).toEqual([]);
      if (kill % 10 !== KILLS % 10 && kill !== KILLS - 1) continue;
      const next = await push(file, `v${kill}`).ended;
      expect(next, next.stderr).toMatchObject({ code: 0 });
      expect(await faults(), `pushed after kill ${kill}`).toEqual([]);
    }
    const { tags } = (await (await get('tags/list')).json()) as { tags: string[] };
    process.stderr.write(`${KILLS} pushes: ${JSON.stringify({ ...seen, tags: tags.length })}\n`);
  });
});
