/**
 * nginx.conf for a Staticfile. `@APP@`, `@TMP@` and `@PORT@` are known only when the app starts, and so is
 * whether FORCE_HTTPS or ENABLE_HTTP2 is set: boot.sh fills in the first and drops the lines that begin with
 * `@FORCE_HTTPS@` or `@ENABLE_HTTP2@` unless they are.
 */
import type { Settings } from './settings.ts';

const CLIENT_ERRORS =
  '400 401 402 403 404 405 406 407 408 409 410 411 412 413 414 415 416 417 418 421 422 423 424 425 426 428 429 431 451';
const SERVER_ERRORS = '500 501 502 503 504 505 506 507 508 510 511';
const REDIRECT =
  'if ($client_scheme != https) { return 301 https://$client_host$client_prefix$request_uri; }';

/** The whole file. */
export function nginxConf(settings: Settings): string {
  return `worker_processes 1;
daemon off;
pid @TMP@/nginx.pid;
error_log stderr;
events { worker_connections 1024; }

http {
  charset utf-8;
  charset_types text/xml text/plain text/css text/csv text/javascript text/markdown text/vtt text/calendar text/vnd.wap.wml application/javascript application/rss+xml;
  include mime.types;
  default_type application/octet-stream;
  log_format platform '$http_x_forwarded_for - $http_referer - [$time_local] "$request" $status $body_bytes_sent';
  access_log /dev/stdout platform;
  server_tokens off;

  client_body_temp_path @TMP@/body;
  proxy_temp_path @TMP@/proxy;
  fastcgi_temp_path @TMP@/fastcgi;
  uwsgi_temp_path @TMP@/uwsgi;
  scgi_temp_path @TMP@/scgi;

  sendfile on;
  tcp_nopush on;
  keepalive_timeout 30;
  # Location: /sub/ means the scheme, host and port that the client used, which only the router knows.
  absolute_redirect off;

  gzip on;
  gzip_proxied any;
  gzip_vary on;
  gzip_min_length 1100;
  gzip_types text/plain text/css text/xml text/javascript application/javascript application/json application/manifest+json application/ld+json application/geo+json application/xml application/rss+xml application/atom+xml application/wasm text/csv text/markdown text/vtt font/ttf font/otf image/svg+xml image/x-icon;
  # A file that was compressed beforehand goes out as it is; who can't read that gets it unpacked.
  gzip_static always;
  gunzip on;

  # What the client asked the router for: the first entry where there are several routers.
  map $http_x_forwarded_host $client_host { '~^([^,]+)' $1; default $host; }
  map $http_x_forwarded_proto $client_scheme { '~^([^,]+)' $1; default ''; }
  map $http_x_forwarded_prefix $client_prefix { '~^([^,]+)' $1; default ''; }

  server {
${listen(settings)}
    server_name localhost;
    root @APP@/public;
    index index.html index.htm Default.htm;
${settings.force_https ? `    ${REDIRECT}` : `@FORCE_HTTPS@    ${REDIRECT}`}
${errorPages(settings)}
    location / {
${location(settings)}
    }
${settings.host_dot_files ? '' : '    location ~ /\\. { return 404; }'}
  }
}
`.replace(/^\s*\n/gm, '');
}

function listen(settings: Settings): string {
  if (settings.enable_http2) return '    listen @PORT@ http2;';
  // Two lines for one address can't both stay: boot.sh keeps one.
  return '@ENABLE_HTTP2@    listen @PORT@ http2;\n@NO_ENABLE_HTTP2@    listen @PORT@;';
}

function errorPages(settings: Settings): string {
  return Object.entries(settings.status_codes)
    .map(([code, page]) => {
      const codes = code === '4xx' ? CLIENT_ERRORS : code === '5xx' ? SERVER_ERRORS : code;
      return `    error_page ${codes} ${page};`;
    })
    .join('\n');
}

function location(settings: Settings): string {
  const lines: string[] = [];
  if (settings.pushstate) lines.push('if (!-e $request_filename) { rewrite ^ / break; }');
  if (settings.directory) lines.push('autoindex on;');
  if (settings.basicAuth) {
    lines.push('auth_basic "Restricted";', 'auth_basic_user_file @APP@/nginx/conf/.htpasswd;');
  }
  if (settings.ssi) lines.push('ssi on;');
  if (settings.http_strict_transport_security) lines.push(strictTransport(settings));
  if (settings.location_include !== '') lines.push(`include ${settings.location_include};`);
  return lines.map((line) => `      ${line}`).join('\n');
}

function strictTransport(settings: Settings): string {
  const subdomains = settings.http_strict_transport_security_include_subdomains ? '; includeSubDomains' : '';
  const preload = settings.http_strict_transport_security_preload ? '; preload' : '';
  return `add_header Strict-Transport-Security "max-age=31536000${subdomains}${preload}";`;
}
