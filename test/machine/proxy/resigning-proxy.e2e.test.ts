/**
 * Behind a proxy that re-signs TLS, our own downloads and the tools of buildpacks work with nothing configured but
 * the proxy variables and `--ca-file`.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PackageRegistries } from '../../support/package-registries.ts';
import { ResigningProxy } from '../../support/resigning-proxy.ts';
import { TestAuthority } from '../../support/test-authority.ts';

const GREETING = `from behind the proxy ${process.pid}`;
const authority = new TestAuthority('resigning proxy');
const root = mkdtempSync(join(tmpdir(), 'resigning-'));
let registries: PackageRegistries;
let proxy: ResigningProxy;

beforeAll(async () => {
  registries = await PackageRegistries.of(GREETING);
  registries.addDirectory('buildpack', 'fixtures/buildpacks/uses-network-tools');
  proxy = await ResigningProxy.open(authority, registries.answer);
  mkdirSync(join(root, 'app'));
  writeFileSync(join(root, 'app/index.html'), 'hello');
});
afterAll(async () => {
  await proxy.close();
  registries.close();
  authority.close();
  rmSync(root, { recursive: true, force: true });
});

/** Stages through the command line, all of its network behind the proxy. */
async function stage(...flags: readonly string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn('bin/stager', ['stage', join(root, 'app'), '--no-cache', ...flags], {
    env: {
      PATH: process.env['PATH'],
      XDG_DATA_HOME: join(root, 'data'),
      http_proxy: proxy.url,
      https_proxy: proxy.url,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await closed, output: stdout + stderr };
}

/** Where the host stack has the tools that a machine may lack; node is the one that we bring. */
const PLACES: Readonly<Record<string, string>> = {
  curl: '/usr/bin/curl',
  git: '/usr/bin/git',
  node: process.execPath,
  npm: '/usr/bin/npm',
  python3: '/usr/bin/python3',
  pip: '/usr/bin/pip',
  go: '/usr/local/go/bin/go',
};

describe('behind a proxy that re-signs TLS', () => {
  let staged: { code: number | null; output: string };
  beforeAll(async () => {
    staged = await stage('--ca-file', authority.file, '--buildpack', 'https://git.test/buildpack.git');
  });

  it('fetches a buildpack from a git host', () => {
    expect(staged.code, staged.output).toBe(0);
    expect(proxy.requests).toContain('GET https://git.test/buildpack.git/HEAD');
  });

  for (const [tool, path] of Object.entries(PLACES)) {
    it.skipIf(!existsSync(path))(`${tool} works inside the sandbox`, () => {
      expect(staged.output).toContain(`${tool}: ${GREETING}\n`);
    });
  }

  it('lets nothing through without its authority', async () => {
    const refused = await stage(
      '--buildpack',
      'fixtures/buildpacks/uses-network-tools',
      '--env',
      'TOOLS=curl git',
    );
    expect(refused.output).toMatch(/curl failed: .*certificate/);
    expect(refused.output).toMatch(/git failed: .*certificate/);
  });

  it('does not let a buildpack in whose host the authority did not sign', async () => {
    const refused = await stage('--buildpack', 'https://git.test/buildpack.git');
    expect(refused.output).toMatch(/BUILDPACK_DOWNLOAD_FAILED .*certificate/);
  });
});
