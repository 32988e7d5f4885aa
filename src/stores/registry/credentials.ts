/** Credentials for a registry: those given for its host, docker's configuration, or none. */

import { readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { z } from 'zod';
import { errnoOf, StagerError } from '../../words/errors.ts';

/** A way to sign in. */
export type Credential =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  /** Sent as it is. */
  | { readonly kind: 'bearer'; readonly token: string }
  /** Exchanged for tokens. */
  | { readonly kind: 'identity'; readonly token: string };

/** Finds the credential for a registry's host; undefined for nobody. */
export type FindCredential = (registry: string) => Promise<Credential | undefined>;

const Given = z.record(
  z.string(),
  z.union([
    z.strictObject({ username: z.string().min(1), password: z.string().min(1) }),
    z.strictObject({ token: z.string().min(1) }),
  ]),
);
/** Credentials by host, as CNB_REGISTRY_CREDS has them. */
export type GivenCredentials = z.infer<typeof Given>;

const DockerConfig = z.looseObject({
  auths: z
    .record(
      z.string(),
      z.looseObject({
        auth: z.string().optional(),
        username: z.string().optional(),
        password: z.string().optional(),
        identitytoken: z.string().optional(),
        registrytoken: z.string().optional(),
      }),
    )
    .nullish(),
  credHelpers: z.record(z.string(), z.string()).nullish(),
  credsStore: z.string().nullish(),
});
type DockerConfig = z.infer<typeof DockerConfig>;

const Helped = z.object({ Username: z.string(), Secret: z.string() });
const HELPER_MS = 30_000;

/** @throws StagerError CONFIG_INVALID, without the text. */
export function parseGivenCredentials(text: string, where: string): GivenCredentials {
  try {
    return Given.parse(JSON.parse(text));
  } catch {
    throw new StagerError('CONFIG_INVALID', `${where} is not a map of registries to credentials`, {
      next: `Set ${where} to JSON such as {"registry.example.com":{"username":"…","password":"…"}}, or {"…":{"token":"…"}}.`,
    });
  }
}

/** Where docker and podman keep theirs, in the order in which they are asked. */
export interface CredentialPlaces {
  readonly given?: GivenCredentials;
  /** Files; those that are not there are skipped. */
  readonly files: readonly string[];
  /** For credential helpers. */
  readonly searchPath: string;
}

/** What {@link CredentialPlaces} hold. */
export function credentialFinder(places: CredentialPlaces): FindCredential {
  let read: Promise<readonly DockerConfig[]> | undefined;
  return async (registry) => {
    const own = new Map(Object.entries(places.given ?? {}));
    const given = own.get(registry) ?? (registry === 'docker.io' ? own.get('index.docker.io') : undefined);
    if (given !== undefined)
      return 'token' in given ? { kind: 'bearer', token: given.token } : { kind: 'basic', ...given };
    read ??= readDockerConfigs(places.files);
    for (const config of await read) {
      const found = await inDockerConfig(config, registry, places.searchPath);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

async function readDockerConfigs(files: readonly string[]): Promise<readonly DockerConfig[]> {
  const list: DockerConfig[] = [];
  for (const file of files) {
    const config = await readDockerConfig(file);
    if (config !== undefined) list.push(config);
  }
  return list;
}

async function readDockerConfig(path: string): Promise<DockerConfig | undefined> {
  try {
    return DockerConfig.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    if (/^(ENOENT|ENOTDIR|EACCES)$/.test(errnoOf(error) ?? '')) return undefined;
    // The text of a JSON error quotes the file.
    throw new StagerError('CONFIG_INVALID', `${path} is not a valid docker configuration`, {
      next: 'Fix it, or move it away.',
      details: { path },
    });
  }
}

async function inDockerConfig(
  config: DockerConfig,
  registry: string,
  searchPath: string,
): Promise<Credential | undefined> {
  const helper = entryFor(config.credHelpers ?? {}, registry)?.[1] ?? config.credsStore ?? undefined;
  if (helper !== undefined && helper !== '') {
    const found = await askHelper(helper, registry, searchPath);
    if (found !== undefined) return found;
  }
  const entry = entryFor(config.auths ?? {}, registry)?.[1];
  if (entry === undefined) return undefined;
  if (entry.registrytoken) return { kind: 'bearer', token: entry.registrytoken };
  if (entry.identitytoken) return { kind: 'identity', token: entry.identitytoken };
  const [username, ...rest] = Buffer.from(entry.auth ?? '', 'base64')
    .toString('utf8')
    .split(':');
  const user = entry.username ?? username ?? '';
  const password = entry.password ?? rest.join(':').replace(/\0+$/, '');
  return user === '' ? undefined : { kind: 'basic', username: user, password };
}

/** Keys may have a scheme and a path. */
function entryFor<T>(map: Readonly<Record<string, T>>, registry: string): [string, T] | undefined {
  const wanted = registry === 'docker.io' ? ['docker.io', 'index.docker.io'] : [registry];
  return Object.entries(map).find(([key]) =>
    wanted.includes(key.replace(/^https?:\/\//, '').replace(/\/.*$/, '')),
  );
}

async function askHelper(
  name: string,
  registry: string,
  searchPath: string,
): Promise<Credential | undefined> {
  if (!/^[A-Za-z0-9._-]+$/.test(name)) throw helperFailed(name, 'its name is not valid');
  const server = registry === 'docker.io' ? 'https://index.docker.io/v1/' : registry;
  const ended = await execa(`docker-credential-${name}`, ['get'], {
    input: server,
    env: { PATH: searchPath },
    timeout: HELPER_MS,
    maxBuffer: 65_536,
    reject: false,
  });
  if (ended.failed) {
    if (/credentials not found/i.test(`${ended.stdout}`)) return undefined;
    throw helperFailed(
      name,
      ended.exitCode === undefined ? (ended.shortMessage ?? '').slice(0, 200) : `exit ${ended.exitCode}`,
    );
  }
  const said = Helped.safeParse(safeJson(ended.stdout));
  if (!said.success) throw helperFailed(name, 'its output is not a credential');
  const { Username: username, Secret } = said.data;
  if (username === '<token>') return { kind: 'identity', token: Secret };
  return { kind: 'basic', username, password: Secret };
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function helperFailed(name: string, why: string): StagerError {
  return new StagerError(
    'REGISTRY_DENIED',
    `the credential helper docker-credential-${name} failed: ${why}`,
    {
      next: "Install it on the PATH and sign in with it, or remove it from docker's configuration.",
      details: { helper: name },
    },
  );
}
