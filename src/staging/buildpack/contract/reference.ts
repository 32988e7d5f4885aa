/**
 * What a person writes after `--buildpack`: the name of an installed one, a directory, an archive, or a git address.
 *
 * `key` is the reference as it may be shown: without credentials. The address with its credentials is kept apart and
 * goes into the request and nowhere else.
 */
import { resolve } from 'node:path';
import { StagerError } from '../../../words/errors.ts';
import { parseSha256, type Sha256 } from '../../../words/ids.ts';
import { querySecrets, redactUrls } from '../../logs/redact.ts';

/** A parsed reference. */
export type Reference =
  | { readonly kind: 'installed'; readonly key: string; readonly name: string }
  | { readonly kind: 'directory'; readonly key: string; readonly path: string }
  | { readonly kind: 'file'; readonly key: string; readonly path: string; readonly sha256?: Sha256 }
  | { readonly kind: 'url'; readonly key: string; readonly address: Address; readonly sha256?: Sha256 }
  | { readonly kind: 'git'; readonly key: string; readonly address: Address; readonly ref?: string };

/** A URL, or git's scp-like form. */
export interface Address {
  /** Without user info and fragment. */
  readonly url: string;
  /** User info of an http(s) URL, decoded. */
  readonly credentials?: { readonly user: string; readonly password: string };
}

/** Cloud Controller's rule for names of installed buildpacks. */
export const BUILDPACK_NAME = /^[A-Za-z0-9_-]{1,250}$/;

const ARCHIVE = /\.(?:zip|tgz|tar\.gz|cnb)$/i;
const SCP_LIKE = /^(?:[A-Za-z0-9._-]+@)?[A-Za-z0-9.-]+:(?!\/\/)[^\s]+$/;
/** git's own limit is the file system's; the first character keeps a ref from being read as an option. */
const GIT_REF = /^[A-Za-z0-9._][A-Za-z0-9._/+@-]{0,255}$/;

/** How to read a reference. */
export interface ReferenceOptions {
  /** What relative paths are relative to. */
  readonly cwd: string;
  /** Expected digest of an archive, beside a `#sha256=` in the reference. */
  readonly sha256?: Sha256;
}

/**
 * Parses a reference; nothing is looked up.
 *
 * @throws StagerError USAGE for one that has none of the known forms.
 */
export function parseReference(text: string, options: ReferenceOptions): Reference {
  if (text.trim() === '' || text.includes('\0') || text.length > 4096) {
    throw unusable(text, 'it is empty or too long');
  }
  if (BUILDPACK_NAME.test(text)) return { kind: 'installed', key: text, name: text };
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return urlReference(text, options);
  const [path, fragment] = splitFragment(text);
  if (!/^[./~]/.test(text) && SCP_LIKE.test(path)) {
    return gitReference({
      key: text,
      address: { url: path },
      ...(fragment !== undefined && { ref: fragment }),
    });
  }
  if (ARCHIVE.test(path)) {
    const sha256 = digestOf(text, fragment, options);
    return {
      kind: 'file',
      key: path,
      path: resolve(options.cwd, path),
      ...(sha256 !== undefined && { sha256 }),
    };
  }
  const absolute = resolve(options.cwd, text);
  return { kind: 'directory', key: absolute, path: absolute };
}

function urlReference(text: string, options: ReferenceOptions): Reference {
  const shown = redactUrls(text);
  if (!URL.canParse(text)) throw unusable(shown, 'it is not a valid URL');
  const url = new URL(text);
  const fragment = url.hash === '' ? undefined : decodeURIComponent(url.hash.slice(1));
  const isHttp = url.protocol === 'https:' || url.protocol === 'http:';
  const credentials =
    isHttp && (url.username !== '' || url.password !== '')
      ? { user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) }
      : undefined;
  if (url.protocol === 'file:' && ARCHIVE.test(url.pathname)) {
    const sha256 = digestOf(shown, fragment, options);
    const path = decodeURIComponent(url.pathname);
    return { kind: 'file', key: shown, path, ...(sha256 !== undefined && { sha256 }) };
  }
  url.hash = '';
  if (isHttp) {
    url.username = '';
    url.password = '';
  } else {
    url.password = '';
  }
  const address: Address = { url: url.href, ...(credentials !== undefined && { credentials }) };
  if (isHttp && ARCHIVE.test(url.pathname)) {
    const sha256 = digestOf(shown, fragment, options);
    const key = fragment?.startsWith('sha256=') === true ? (shown.split('#', 1)[0] ?? shown) : shown;
    return { kind: 'url', key, address, ...(sha256 !== undefined && { sha256 }) };
  }
  if (!['https:', 'http:', 'ssh:', 'git:', 'file:'].includes(url.protocol)) {
    throw unusable(shown, `${url.protocol}// is not supported`);
  }
  return gitReference({ key: shown, address, ...(fragment !== undefined && { ref: fragment }) });
}

function gitReference(parts: { key: string; address: Address; ref?: string }): Reference {
  if (parts.ref !== undefined && !GIT_REF.test(parts.ref)) {
    throw unusable(parts.key, `${JSON.stringify(parts.ref)} is not a branch, tag or commit`);
  }
  return { kind: 'git', ...parts };
}

function digestOf(
  shown: string,
  fragment: string | undefined,
  options: ReferenceOptions,
): Sha256 | undefined {
  if (fragment === undefined) return options.sha256;
  const digest = fragment.startsWith('sha256=') ? parseSha256(fragment.slice('sha256='.length)) : undefined;
  if (digest !== undefined) return digest;
  throw unusable(shown, 'the part after # of an archive must be sha256= and 64 hex digits');
}

function splitFragment(text: string): readonly [string, string | undefined] {
  const hash = text.lastIndexOf('#');
  return hash === -1 ? [text, undefined] : [text.slice(0, hash), text.slice(hash + 1)];
}

function unusable(shown: string, reason: string): StagerError {
  return new StagerError(
    'USAGE',
    `buildpack ${JSON.stringify(shown.slice(0, 200))} can't be used: ${reason}`,
    {
      next: 'Give the name of an installed buildpack, a directory (./dir), a .zip or .tgz, an https URL of one, or a git URL with #ref.',
      details: { buildpack: shown.slice(0, 200), reason },
    },
  );
}

/** Values of a reference that must never show. */
export function referenceSecrets(reference: Reference): readonly string[] {
  if (reference.kind !== 'url' && reference.kind !== 'git') return [];
  const { credentials, url } = reference.address;
  if (credentials === undefined) return querySecrets(url);
  // A lone user name is a token.
  return [credentials.password === '' ? credentials.user : credentials.password, ...querySecrets(url)];
}
