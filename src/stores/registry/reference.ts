/** Names of images: `host/repository:tag` or `host/repository@sha256:…`, with the defaults that everybody has. */
import { StagerError } from '../../words/errors.ts';

/** Where an image is. */
export interface ImageReference {
  /** Host, with its port if it has one, as credentials are kept for it; `docker.io` for Docker Hub. */
  readonly registry: string;
  readonly repository: string;
  /** Absent with a digest. */
  readonly tag?: string;
  readonly digest?: string;
}

const HUB = 'docker.io';
const HUB_NAMES: ReadonlySet<string> = new Set([HUB, 'index.docker.io', 'registry-1.docker.io']);
const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)*|\[[0-9a-f:]+\])(?::\d{1,5})?$/;
const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const MAX_NAME = 255;

/** @throws StagerError USAGE saying which part is wrong. */
export function parseImageReference(given: string): ImageReference {
  const text = given.replace(/^docker:\/\//, '');
  const [named = '', digest, ...more] = text.split('@');
  if (more.length > 0 || (digest !== undefined && !DIGEST.test(digest)))
    throw refused(given, 'its digest is not sha256: and 64 hexadecimal digits');
  const colon = named.lastIndexOf(':');
  const hasTag = colon > named.lastIndexOf('/') && colon > 0;
  const tag = hasTag ? named.slice(colon + 1) : undefined;
  const path = hasTag ? named.slice(0, colon) : named;
  if (tag !== undefined && !TAG.test(tag)) throw refused(given, `${JSON.stringify(tag)} can't be a tag`);
  const { registry, repository } = placeOf(path);
  if (!HOST.test(registry)) throw refused(given, `${JSON.stringify(registry)} is not a host`);
  if (!REPOSITORY.test(repository) || registry.length + repository.length > MAX_NAME)
    throw refused(given, `${JSON.stringify(repository)} can't be the name of a repository`);
  if (digest !== undefined) return { registry, repository, digest };
  return { registry, repository, tag: tag ?? 'latest' };
}

function placeOf(path: string): { readonly registry: string; readonly repository: string } {
  const slash = path.indexOf('/');
  const first = slash === -1 ? '' : path.slice(0, slash);
  const isHost = /[.:]/.test(first) || first === 'localhost' || first.startsWith('[');
  if (isHost && !HUB_NAMES.has(first)) return { registry: first, repository: path.slice(slash + 1) };
  const name = isHost ? path.slice(slash + 1) : path;
  return { registry: HUB, repository: name.includes('/') ? name : `library/${name}` };
}

/** The reference in full. */
export function formatReference({ registry, repository, tag, digest }: ImageReference): string {
  return `${registry}/${repository}${digest === undefined ? `:${tag ?? 'latest'}` : `@${digest}`}`;
}

/** Host that answers for a registry. */
export function apiHost(registry: string): string {
  return registry === HUB ? 'registry-1.docker.io' : registry;
}

/** Loopback, private and link-local addresses, and `localhost`. */
export function isLocalHost(host: string): boolean {
  const name = host
    .replace(/:\d+$/, '')
    .replace(/^\[|\]$/g, '')
    .toLowerCase();
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  if (/^(127|10|0)\.\d+\.\d+\.\d+$/.test(name) || /^192\.168\.\d+\.\d+$/.test(name)) return true;
  if (/^169\.254\.\d+\.\d+$/.test(name) || /^172\.(1[6-9]|2\d|3[01])\.\d+\.\d+$/.test(name)) return true;
  return /^(::1|::|f[cd][0-9a-f]{2}:.*|fe80:.*|::ffff:.*)$/.test(name);
}

function refused(given: string, why: string): StagerError {
  return new StagerError('USAGE', `${JSON.stringify(given)} is not the name of an image: ${why}`, {
    next: 'Write HOST/REPOSITORY:TAG or HOST/REPOSITORY@sha256:DIGEST, in lower case.',
    details: { image: given },
  });
}
