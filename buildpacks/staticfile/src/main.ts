/** The staticfile buildpack: supply installs nginx, finalize lays out the site and its configuration. */
import { chmod, copyFile, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkNginx, installNginx, installOnce, runSteps, type StepContext } from '../../kit/index.ts';
import { completeTypes } from './mime-types.ts';
import { nginxConf } from './nginx-conf.ts';
import { publish } from './public.ts';
import { kindOf, readSettings, type Settings } from './settings.ts';

async function supply(context: StepContext): Promise<void> {
  context.log.step('Installing nginx');
  const nginx = context.choose('nginx');
  await installOnce(context, { name: 'nginx', facts: [nginx.uri] }, () =>
    installNginx(context, nginx, context.dep.at('nginx')),
  );
}

async function finalize(context: StepContext): Promise<void> {
  const { buildDir, dep, log } = context;
  const settings = await readSettings(buildDir);
  tell(context, settings);
  await publish(buildDir, settings, log);

  log.step('Configuring nginx');
  const conf = join(buildDir, 'nginx/conf');
  await mkdir(conf, { recursive: true });
  await writeConf(context, settings, conf);
  const types = await readFile(dep.at('nginx/conf/mime.types'), 'utf8');
  await writeFile(join(conf, 'mime.types'), completeTypes(types));
  if (settings.basicAuth) await copyFile(join(buildDir, 'Staticfile.auth'), join(conf, '.htpasswd'));

  await copyFile(join(context.buildpackDir, 'dist/serve.sh'), dep.at('serve.sh'));
  const boot = await readFile(join(context.buildpackDir, 'profile/boot.sh'), 'utf8');
  await writeFile(join(buildDir, 'boot.sh'), boot.replaceAll('@IDX@', dep.idx));
  await chmod(join(buildDir, 'boot.sh'), 0o755);
  await checkNginx(context, join(buildDir, 'boot.sh'), CORRECT);
  await dep.writeLaunch([{ type: 'web', command: '$HOME/boot.sh' }]);
}

const CORRECT =
  'Correct the file that it names: nginx.conf, or what location_include in the Staticfile includes.';

/** The app's own nginx.conf wins, as on Cloud Foundry, and switches all options off. */
async function writeConf(context: StepContext, settings: Settings, conf: string): Promise<void> {
  const own = join(context.buildDir, 'public/nginx.conf');
  if ((await kindOf(own)) === 'file') {
    context.log.warning(
      'The site has an nginx.conf, which is used as it is, and the options of Staticfile have no effect.\n' +
        'In it, @PORT@, @APP@ and @TMP@ stand for port, app directory and a directory for temporary files.',
    );
    await rename(own, join(conf, 'nginx.conf.in'));
    return;
  }
  await writeFile(join(conf, 'nginx.conf.in'), nginxConf(settings));
}

function tell({ log }: StepContext, settings: Settings): void {
  if (settings.unknown.length > 0) {
    log.warning(`The Staticfile has unknown options, which are ignored: ${settings.unknown.join(', ')}.`);
  }
  const said = Object.entries({
    'directory listing': settings.directory,
    pushstate: settings.pushstate,
    ssi: settings.ssi,
    'basic authentication (Staticfile.auth)': settings.basicAuth,
    'redirect to https': settings.force_https,
    'HTTP/2': settings.enable_http2,
    'strict transport security': settings.http_strict_transport_security,
    'dot files': settings.host_dot_files,
    'pages for status codes': Object.keys(settings.status_codes).length > 0,
    [`include of ${settings.location_include}`]: settings.location_include !== '',
  });
  for (const [what, on] of said) if (on) log.step(`Enabling ${what}`);
  const alone =
    settings.http_strict_transport_security_include_subdomains ||
    settings.http_strict_transport_security_preload;
  if (alone && !settings.http_strict_transport_security) {
    log.warning('Options of http_strict_transport_security have no effect unless it is enabled.');
  }
}

void runSteps({ supply, finalize });
