/** Assets, and what is started. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  isThere,
  Kept,
  type LaunchProcess,
  output,
  run,
  type StepContext,
  succeeds,
} from '../../kit/index.ts';
import { bundleEnv } from './bundle.ts';
import { has, homeOf, type RubyApp } from './lock.ts';

/** What assets are made of. */
const SOURCES = [
  ...[
    'app/assets',
    'app/javascript',
    'app/views',
    'lib/assets',
    'lib/tasks',
    'vendor/assets',
    'vendor/javascript',
  ],
  ...['config', 'Rakefile', 'package.json', 'package-lock.json', 'yarn.lock', 'tailwind.config.js'],
];
const ADAPTERS = { pg: 'postgres', mysql2: 'mysql2', trilogy: 'trilogy', sqlite3: 'sqlite3' } as const;

/** Runs `rake assets:precompile` where there is such a task; not when the app has its assets or nothing has changed. */
export async function precompileAssets(context: StepContext, app: RubyApp): Promise<void> {
  const { buildDir, cacheDir, env, log, version } = context;
  const home = homeOf(buildDir, app);
  if (!(await isThere(join(home, 'Rakefile'))) || !has(app, 'rake', 'railties')) return;
  if (env['DISABLE_ASSETS_PRECOMPILE'] === 'true') return log.info('assets:precompile is not run');
  const assets = join(home, 'public/assets');
  const made = (await readdir(assets).catch(() => [])).find((name) =>
    /^(\.sprockets-manifest-.*|manifest-.*|\.manifest)\.json$/.test(name),
  );
  if (made !== undefined) return log.info(`The app has its assets (public/assets/${made})`);
  const tools = { ...(await bundleEnv(context, app)), ...dummies(context, app) };
  const kept = await Kept.of(cacheDir, 'assets', {
    facts: [version, app.lock, tools['RAILS_ENV'], env['CF_STACK']],
    paths: SOURCES.map((name) => join(home, name)),
  });
  if ((await kept.restore({ assets })) === true) {
    return log.info('Using the assets of the last staging: their sources are the same');
  }
  const rake = [context.dep.at('bin/bundle'), 'exec', 'rake'] as const;
  // Of a dry run only whether there is such a task; what is wrong otherwise the real one tells.
  const asked = await output(['bash', '-c', '"$@" 2>&1', 'rake', ...rake, '--dry-run', 'assets:precompile'], {
    cwd: home,
    env: tools,
  });
  if (!asked.ok && /Don't know how to build task/.test(asked.stdout)) return;
  await tellNode(context, app);
  log.step('Precompiling assets');
  await run([...rake, 'assets:precompile'], {
    cwd: home,
    env: tools,
    next: 'See the output above. What is only there at run time (database, credentials) needs a default in config/; DISABLE_ASSETS_PRECOMPILE=true leaves assets out.',
  });
  if (await isThere(assets)) await kept.keep({ assets });
}

/** What an app may ask for while it makes its assets; none of it stays in the droplet. */
function dummies({ env }: StepContext, app: RubyApp): Record<string, string> {
  const [, adapter] = Object.entries(ADAPTERS).find(([gem]) => has(app, gem)) ?? [];
  return {
    RAILS_GROUPS: env['RAILS_GROUPS'] ?? 'assets',
    SECRET_KEY_BASE_DUMMY: '1',
    SECRET_KEY_BASE: env['SECRET_KEY_BASE'] ?? 'only-for-assets',
    ...(adapter === undefined || env['DATABASE_URL'] !== undefined
      ? {}
      : { DATABASE_URL: `${adapter}://user:pass@127.0.0.1/assets` }),
  };
}

async function tellNode({ env, log }: StepContext, app: RubyApp): Promise<void> {
  if (!has(app, 'execjs', 'webpacker', 'jsbundling-rails', 'cssbundling-rails')) return;
  if ((await succeeds(['node', '--version'], env)) === true) return;
  log.warning('The assets need Node, which is not there: stage with -b nodejs -b ruby.');
}

/** By what the lock and the files say. */
export async function startProcesses(dir: string, app: RubyApp): Promise<LaunchProcess[]> {
  const home = homeOf(dir, app);
  const there = (name: string) => isThere(join(home, name));
  const web = (command: string) => [{ type: 'web', command }];
  if (has(app, 'railties')) {
    const rails = (await there('bin/rails')) ? 'ruby bin/rails' : 'bundle exec rails';
    return [
      ...web(`${rails} server -b 0.0.0.0 -p $PORT -e $RAILS_ENV`),
      { type: 'console', command: `${rails} console` },
      { type: 'rake', command: 'bundle exec rake' },
    ];
  }
  if (has(app, 'puma') && (await there('config/puma.rb'))) return web('bundle exec puma -C config/puma.rb');
  if (await there('config.ru')) {
    if (has(app, 'puma')) return web('bundle exec puma -b tcp://0.0.0.0:$PORT -e $RACK_ENV');
    if (has(app, 'thin')) return web('bundle exec thin start -R config.ru -e $RACK_ENV -p $PORT');
    if (has(app, 'rack')) return web('bundle exec rackup config.ru -o 0.0.0.0 -p $PORT -E $RACK_ENV');
  }
  if (has(app, 'sinatra') && (await there('app.rb')))
    return web('bundle exec ruby app.rb -o 0.0.0.0 -p $PORT');
  return [];
}
