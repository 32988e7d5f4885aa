/** Lines of the log that several buildpacks have. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { tellIgnoredVariables } from '../../../buildpacks/kit/ignored.ts';
import { createLog } from '../../../buildpacks/kit/log.ts';
import { tellOptions } from '../../../buildpacks/kit/options.ts';
import { tellWorkers } from '../../../buildpacks/kit/workers.ts';
import { withAppFiles } from '../../support/app-files.ts';

const LANGUAGES = ['dotnet-core', 'go', 'java', 'nginx', 'nodejs', 'php', 'python', 'ruby', 'rust'];
const texts = z.record(z.string(), z.string());

function said(tell: (log: ReturnType<typeof createLog>) => void): string {
  const lines: string[] = [];
  tell(createLog((line) => lines.push(line.trim())));
  return lines.join('\n');
}

describe('what is told while staging', () => {
  it('names variables of other buildpacks that are set, with what takes their place', () => {
    const ignored = { BP_GO_VERSION: 'GOVERSION says it', BP_GO_TARGETS: 'others do' };
    const env = { BP_GO_VERSION: '1.26', BP_GO_TARGETS: '' };
    expect(said((log) => tellIgnoredVariables({ env, log }, ignored))).toBe(
      '**WARNING** BP_GO_VERSION is ignored: GOVERSION says it.',
    );
  });

  it('has a table of options that have an effect, for variables and files of the app', async () => {
    const works = {
      GOVERSION: 'honoured',
      'buildpack.yml': 'replaced: by words',
      JAVA_OPTS: 'honoured',
      '.x': 'honoured',
    };
    const table = { works, ignored: { BP_GO_VERSION: 'GOVERSION says it' } };
    await withAppFiles({ 'buildpack.yml': '' }, async (buildDir) => {
      const lines: string[] = [];
      const log = createLog((line) => lines.push(line.slice(7)));
      await tellOptions({ buildDir, log, env: { GOVERSION: '1.26', BP_GO_VERSION: '1' } }, table);
      await tellOptions({ buildDir: `${buildDir}/none`, log, env: {} }, table);
      expect(lines).toEqual([
        'Options of this app that other buildpacks have too:',
        '  GOVERSION      honoured',
        '  buildpack.yml  replaced: by words',
        '**WARNING** BP_GO_VERSION is ignored: GOVERSION says it.',
      ]);
    });
  });

  it.each(LANGUAGES)('of %s: each option is in its page', async (name) => {
    const module: unknown = await import(`../../../buildpacks/${name}/src/options.ts`);
    const { works, ignored } = z
      .object({ OPTIONS_OF_OTHERS: z.object({ works: texts, ignored: texts }) })
      .parse(module).OPTIONS_OF_OTHERS;
    const page = readFileSync(
      name === 'nodejs' ? 'docs/shipped-buildpacks.md' : `docs/languages/${name}.md`,
      'utf8',
    );
    // BP_RAILS_ASSETS_EXTRA_… stands for several.
    const stems = [...page.matchAll(/`([\w./-]+)…`/g)].map(([, stem = '']) => stem);
    const isThere = (option: string) =>
      page.includes(option) || stems.some((stem) => option.startsWith(stem));
    expect(Object.keys({ ...works, ...ignored }).filter((option) => !isThere(option))).toEqual([]);
    for (const effect of Object.values(works)) expect(effect).toMatch(/^(honoured|replaced: )/);
  });

  it('says how many workers fit into containers of usual sizes, and into which none does', () => {
    expect(said((log) => tellWorkers(log, 'children', { eachMb: 300, at: 'memory_limit 300M' }))).toBe(
      'children at memory_limit 300M: 256M: too small, 512M: 1, 1024M: 3, 2048M: 6 (WEB_CONCURRENCY sets another number)',
    );
    expect(said((log) => tellWorkers(log, 'children', { eachMb: 0, at: 'nothing' }))).toBe('');
  });
});
