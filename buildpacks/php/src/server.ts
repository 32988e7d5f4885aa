/** The web server in front of PHP-FPM, and the configuration of both. Places and numbers are filled in by start-php. */
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BuildpackFailure,
  installLibraries,
  installNginx,
  readText,
  type StepContext,
  succeeds,
} from '../../kit/index.ts';

/** What lies beside the pages where the whole app is the document root. */
const PRIVATE = '(vendor|lib/vendor|composer\\.(json|lock)|manifest\\.yml|Procfile|buildpack\\.yml)';

/** Installs nginx or httpd. */
export async function installWebServer(context: StepContext, server: 'nginx' | 'httpd'): Promise<void> {
  if (server === 'nginx') {
    await installNginx(context, context.choose('nginx'), context.dep.at('nginx'));
    return;
  }
  const { dep, dependencies, env } = context;
  const home = dep.at('httpd');
  await dependencies.install(context.choose('apache2-bin'), home, {
    pick: (path) => {
      const [, name] = /^usr\/(sbin\/apache2|lib\/apache2\/modules\/\w+\.so)$/.exec(path) ?? [];
      return name?.replace(/^lib\/apache2\//, '');
    },
  });
  await dependencies.install(context.choose('nginx-common'), home, {
    pick: (path) => (path === 'etc/nginx/mime.types' ? 'mime.types.nginx' : undefined),
  });
  const types = (await readText(home, 'mime.types.nginx')) ?? '';
  await writeFile(
    join(home, 'mime.types'),
    [...types.matchAll(/^\s+([\w./+-]+)\s+([^;]+);/gm)]
      .map(([, type, endings]) => `${type} ${endings}\n`)
      .join(''),
  );
  const program = join(home, 'sbin/apache2');
  const used = MODULES.map((name) => join(home, 'modules', `mod_${name}.so`));
  await installLibraries(context, { from: [program, ...used], into: join(home, 'lib') });
  if ((await succeeds([program, '-v'], { ...env, LD_LIBRARY_PATH: join(home, 'lib') })) === true) return;
  throw new BuildpackFailure(`httpd does not run on stack ${env['CF_STACK'] ?? 'unknown'}`, {
    next: 'Set WEB_SERVER to nginx, or choose another stack.',
  });
}

const MODULES = [
  ...['mpm_event', 'authz_core', 'authz_host', 'mime', 'dir', 'rewrite', 'headers', 'setenvif', 'env'],
  ...['deflate', 'filter', 'proxy', 'proxy_fcgi', 'remoteip', 'alias', 'expires'],
] as const;

/** Writes etc/nginx.conf or etc/httpd.conf; says whether nginx has to check it, since something of the app is in it. */
export async function writeServerConf(
  context: StepContext,
  server: 'nginx' | 'httpd',
  root: string,
): Promise<boolean> {
  const { buildDir, dep, log } = context;
  await mkdir(dep.at('etc'), { recursive: true });
  const path = root === '.' ? '@APP@' : `@APP@/${root}`;
  if (server === 'httpd') {
    await writeFile(dep.at('etc/httpd.conf'), httpdConf(path));
    return false;
  }
  const own = await readText(buildDir, '.bp-config/nginx/server-locations.conf');
  if (own !== undefined) log.info('Using .bp-config/nginx/server-locations.conf');
  const places = own
    ?.replaceAll(/[@#]\{HOME\}/g, '@APP@')
    .replaceAll(/[@#]\{WEBDIR\}/g, root)
    .replaceAll(/[@#]\{(PHP_FPM_LISTEN|PHP_FPM_SOCKET)\}/g, 'unix:@TMP@/fpm.sock');
  await copyFile(dep.at('nginx/conf/fastcgi_params'), dep.at('etc/fastcgi_params'));
  await writeFile(dep.at('etc/nginx.conf'), nginxConf(path, places ?? LOCATIONS));
  return places !== undefined || !/^[\w./-]+$/.test(root);
}

const LOCATIONS = `    location ~ ^/${PRIVATE}(/|$) { return 404; }
    location ~ /\\.(?!well-known/) { return 404; }
    location / { try_files $uri $uri/ /index.php$is_args$args; }
    location ~ \\.php(/|$) {
      fastcgi_split_path_info ^(.+?\\.php)(/.*)$;
      try_files $fastcgi_script_name =404;
      include @HERE@/etc/fastcgi_params;
      fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
      fastcgi_param PATH_INFO $fastcgi_path_info;
      fastcgi_param HTTPS $php_https if_not_empty;
      fastcgi_read_timeout 300;
      fastcgi_pass php_fpm;
    }
`;

function nginxConf(root: string, locations: string): string {
  return `worker_processes 1;
daemon off;
pid @TMP@/nginx.pid;
error_log stderr;
events { worker_connections 1024; }
http {
  include @HERE@/nginx/conf/mime.types;
  default_type application/octet-stream;
  log_format platform '$http_x_forwarded_for - [$time_local] "$request" $status $body_bytes_sent';
  access_log /dev/stdout platform;
  server_tokens off;
  absolute_redirect off;
  client_max_body_size 40m;
  client_body_temp_path @TMP@/body;
  proxy_temp_path @TMP@/proxy;
  fastcgi_temp_path @TMP@/fastcgi;
  uwsgi_temp_path @TMP@/uwsgi;
  scgi_temp_path @TMP@/scgi;
  sendfile on;
  gzip on;
  gzip_proxied any;
  gzip_types text/css text/plain text/javascript application/javascript application/json image/svg+xml;
  map $http_x_forwarded_proto $php_https { https on; default ''; }
  upstream php_fpm { server unix:@TMP@/fpm.sock; }
  server {
    listen @PORT@;
    root ${root};
    index index.php index.html;
${locations}  }
}
`;
}

function httpdConf(root: string): string {
  const loads = MODULES.map((name) => `LoadModule ${name}_module @HERE@/httpd/modules/mod_${name}.so\n`).join(
    '',
  );
  return `${loads}ServerRoot @HERE@/httpd
ServerName localhost
Listen @PORT@
PidFile @TMP@/httpd.pid
DefaultRuntimeDir @TMP@
ErrorLog /dev/stderr
LogFormat "%{X-Forwarded-For}i - %t \\"%r\\" %>s %b" platform
CustomLog /dev/stdout platform
ServerTokens Prod
TypesConfig @HERE@/httpd/mime.types
DocumentRoot ${root}
DirectoryIndex index.php index.html
SetEnvIf X-Forwarded-Proto https HTTPS=on
SetEnvIf Authorization "(.+)" HTTP_AUTHORIZATION=$1
<Directory />
  Require all denied
</Directory>
<Directory ${root}>
  Options SymLinksIfOwnerMatch
  AllowOverride All
  Require all granted
</Directory>
<LocationMatch "^/${PRIVATE}(/|$)">
  Require all denied
</LocationMatch>
<LocationMatch "/\\.(?!well-known/)">
  Require all denied
</LocationMatch>
<FilesMatch "\\.php$">
  <If "-f %{REQUEST_FILENAME}">
    SetHandler "proxy:unix:@TMP@/fpm.sock|fcgi://localhost"
  </If>
</FilesMatch>
ProxyTimeout 300
`;
}
