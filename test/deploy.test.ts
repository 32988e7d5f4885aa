import { execFile } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { Metrics } from '../src/service/metrics/metrics.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = promisify(execFile);
/** The version of Kubernetes whose schemas the package brings, and its own. */
const [VALIDATOR, KUBERNETES] = ['1.37.0', '1.35'];
const SYSTEMD = ['/usr/bin/systemd-analyze', '/bin/systemd-analyze'].find(existsSync);
const PROMTOOL = ['/usr/bin/promtool', '/usr/local/bin/promtool'].find(existsSync);

describe('the manifests for Kubernetes', () => {
  const files = globSync('deploy/kubernetes/*.yaml', { cwd: root }).filter(
    (it) => !it.endsWith('kustomization.yaml'),
  );

  it('fit the schemas of Kubernetes, strictly', async () => {
    const { stdout } = await run('sh', ['scripts/venv.sh', 'kubernetes-validate', VALIDATOR], { cwd: root });
    const program = `${stdout.trim()}/bin/kubernetes-validate`;
    await run(program, ['--strict', '-k', KUBERNETES, ...files], { cwd: root });
    // The first time, the package and what it needs is fetched.
  }, 600_000);

  it('are all named by the kustomization', () => {
    const text = readFileSync(`${root}/deploy/kubernetes/kustomization.yaml`, 'utf8');
    const { resources } = z
      .object({ resources: z.array(z.string()) })
      .parse(parseAllDocuments(text)[0]?.toJS());
    expect(resources.toSorted()).toEqual(files.map((file) => basename(file)).toSorted());
  });
});

describe('the alert rules and the dashboard', () => {
  it('name figures that there are', async () => {
    const metrics = new Metrics();
    const { body } = await metrics.text();
    const ofDatabase = readFileSync(`${root}/src/service/metrics/metrics.ts`, 'utf8');
    const texts = [
      'deploy/prometheus/alerts.yml',
      'deploy/grafana/stager.json',
      'deploy/kubernetes/autoscaling.yaml',
    ];
    const named = texts.flatMap(
      (file) => readFileSync(`${root}/${file}`, 'utf8').match(/\bstager_\w+/g) ?? [],
    );
    const known = new Set(`${body} ${ofDatabase}`.match(/\bstager_\w+/g));
    const unknown = named.filter((name) => !known.has(name.replace(/_(bucket|count|sum)$/, '')));
    expect(unknown).toEqual([]);
  });

  if (PROMTOOL === undefined) {
    process.stderr.write(
      '\nNOT RUN: promtool on the alert rules: no promtool (Debian: apt-get install prometheus)\n\n',
    );
    it.skip('NOT RUN: promtool on the alert rules: no promtool', () => undefined);
  } else {
    it('pass promtool', async () => {
      const { stdout } = await run(PROMTOOL, ['check', 'rules', 'deploy/prometheus/alerts.yml'], {
        cwd: root,
      });
      expect(stdout).toMatch(/SUCCESS: 8 rules/);
    });
  }
});

describe('the units of systemd', () => {
  it('name files and commands that there are', () => {
    for (const file of globSync('deploy/systemd/*.service', { cwd: root })) {
      const text = readFileSync(`${root}/${file}`, 'utf8');
      expect(text).toMatch(/^ExecStart=\/usr\/bin\/stager (serve|worker) /m);
      expect(text).toMatch(/^TimeoutStopSec=\d+$/m);
    }
  });

  if (SYSTEMD === undefined) it.skip('NOT RUN: systemd-analyze on the units: there is none', () => undefined);
  else {
    it('pass systemd-analyze', async () => {
      const dir = await mkdtemp(join(tmpdir(), 'stager-units-'));
      const units = globSync('deploy/systemd/*.service', { cwd: root });
      for (const file of units) {
        // It looks for the program, which is not installed here.
        const text = readFileSync(`${root}/${file}`, 'utf8').replaceAll(
          '/usr/bin/stager',
          `${root}/bin/stager`,
        );
        await writeFile(join(dir, basename(file)), text);
      }
      const { stderr } = await run(SYSTEMD, ['verify', ...units.map((file) => join(dir, basename(file)))]);
      await rm(dir, { recursive: true, force: true });
      expect(stderr).toBe('');
    });
  }
});
