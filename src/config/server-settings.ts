/** Settings of `stager serve`. */
import type { Setting } from './setting.ts';

/** Where the endpoint listens, and where it keeps its state. */
export const SERVER_SETTINGS = {
  host: {
    group: 'Server:',
    flag: '--host <address>',
    variable: 'STAGER_HOST',
    kind: 'text',
    default: '127.0.0.1',
    help: 'address to listen on; beyond loopback it takes a certificate or --insecure-http',
    on: ['serve'],
  },
  port: {
    group: 'Server:',
    flag: '--port <number>',
    variable: 'STAGER_PORT',
    kind: 'port',
    default: '8484',
    help: 'port to listen on; 0 is any free one',
    on: ['serve'],
  },
  data: {
    group: 'Server:',
    flag: '--data <dir>',
    variable: 'STAGER_DATA',
    kind: 'path',
    help: 'directory of the embedded database; default: below the data home',
    on: ['serve'],
  },
  database: {
    group: 'Server:',
    flag: '--database <url>',
    variable: 'STAGER_DATABASE',
    kind: 'text',
    help: 'postgres://… of a PostgreSQL server (14 or later) instead of the embedded database',
    on: ['serve'],
  },
  tlsCert: {
    group: 'Server:',
    flag: '--tls-cert <file>',
    variable: 'STAGER_TLS_CERT',
    kind: 'path',
    help: 'certificate chain (PEM); read again when it changes',
    on: ['serve'],
  },
  tlsKey: {
    group: 'Server:',
    flag: '--tls-key <file>',
    variable: 'STAGER_TLS_KEY',
    kind: 'path',
    help: 'key of the certificate (PEM)',
    on: ['serve'],
  },
  insecureHttp: {
    group: 'Server:',
    flag: '--insecure-http',
    variable: 'STAGER_INSECURE_HTTP',
    kind: 'flag',
    help: 'allow plain HTTP beyond loopback, for example behind a proxy that does TLS',
    on: ['serve'],
  },
  publicUrl: {
    group: 'Server:',
    flag: '--public-url <url>',
    variable: 'STAGER_PUBLIC_URL',
    kind: 'text',
    help: 'address that links in answers begin with; default: the one that a request came to',
    on: ['serve'],
  },
} as const satisfies Record<string, Setting>;
