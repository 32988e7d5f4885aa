/** The real Prometheus looks at a server once, with the alert rules that ship; and promtool at what it sees. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { openDatabase } from '../../../../src/service/state/database.ts';
import { freePort } from '../../../support/free-port.ts';
import { startApi } from '../support/api.ts';
import { newApp } from '../support/apps.ts';
import { readyPackage, staged } from '../support/builds.ts';
import { notRun } from '../support/served.ts';
import { fakeMeans } from '../support/staging.ts';
import { embeddedTemplate } from '../support/template.ts';

const RULES = fileURLToPath(new URL('../../../../deploy/prometheus/alerts.yml', import.meta.url));
const program = (name: string): string | undefined =>
  [`/usr/bin/${name}`, `/usr/local/bin/${name}`].find(existsSync);
const [PROMETHEUS, PROMTOOL] = [program('prometheus'), program('promtool')];

const Samples = z.object({
  data: z.object({ result: z.array(z.object({ value: z.tuple([z.number(), z.string()]) })) }),
});
const Rules = z.object({
  data: z.object({ groups: z.array(z.object({ rules: z.array(z.object({ health: z.string() })) })) }),
});

if (PROMETHEUS === undefined || PROMTOOL === undefined)
  notRun(
    'a scrape by the real Prometheus',
    'no prometheus and promtool (Debian: apt-get install prometheus)',
  );
else {
  it('a real Prometheus takes every figure of a server, and its rules can be worked out from them', async () => {
    const database = await openDatabase({ memory: true, template: await embeddedTemplate() });
    const { api, close } = await startApi({ database }, await fakeMeans());
    const dir = await mkdtemp(join(tmpdir(), 'stager-prometheus-'));
    const prometheus = await startPrometheus(PROMETHEUS, dir, new URL(api.url).host);
    try {
      await staged(api, await readyPackage(api, await newApp(api)));
      const { text } = await api.ask('GET', '/metrics', { as: 'nobody' });
      // Of Node's own figures promtool would have other names.
      const own = text.split('\n').filter((line) => line.includes('stager_'));
      execFileSync(PROMTOOL, ['check', 'metrics'], { input: `${own.join('\n')}\n` });
      expect(await prometheus.sees('up{job="stager"}', '1')).toBe('1');
      expect(await prometheus.sees('stager_builds_total{outcome="staged"}', '1')).toBe('1');
      const { data } = Rules.parse(await prometheus.get('/api/v1/rules'));
      const health = data.groups.flatMap(({ rules }) => rules.map((rule) => rule.health));
      expect(health).toHaveLength(8);
      expect(health).not.toContain('err');
    } finally {
      await prometheus.stop();
      await close();
      await rm(dir, { recursive: true, force: true });
    }
  });
}

async function startPrometheus(path: string, dir: string, target: string) {
  await copyFile(RULES, join(dir, 'alerts.yml'));
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: ['alerts.yml'],
    scrape_configs: [{ job_name: 'stager', static_configs: [{ targets: [target] }] }],
  };
  // JSON is YAML.
  await writeFile(join(dir, 'prometheus.yml'), JSON.stringify(config));
  const url = `http://127.0.0.1:${await freePort()}`;
  const args = [
    `--config.file=${join(dir, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(dir, 'data')}`,
    `--web.listen-address=${new URL(url).host}`,
    '--log.level=error',
  ];
  const child = spawn(path, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const get = async (place: string): Promise<unknown> => {
    for (;;) {
      if (child.exitCode !== null) throw new Error(`prometheus ended with ${child.exitCode}`);
      const answer = await fetch(`${url}${place}`).catch(() => undefined);
      if (answer?.ok === true) return await answer.json();
      await setTimeout(100);
    }
  };
  return {
    get,
    /** The value of a query when it is that one; it comes with one of the next looks. */
    sees: async (query: string, value: string): Promise<string> => {
      for (;;) {
        const { data } = Samples.parse(await get(`/api/v1/query?query=${encodeURIComponent(query)}`));
        const found = data.result[0]?.value[1];
        if (found === value) return found;
        await setTimeout(100);
      }
    },
    stop: async () => {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}
