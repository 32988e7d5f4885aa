/** Registries as the settings name them. */
import type { Got } from 'got';
import type { Config } from '../../config/load.ts';
import type { Clock } from '../../words/clock.ts';
import { StagerError } from '../../words/errors.ts';
import {
  type Credential,
  credentialFinder,
  type GivenCredentials,
  parseGivenCredentials,
} from './credentials.ts';
import type { RegistryPorts } from './session.ts';

/** A credential for one registry, and who hears of warnings. */
export interface RegistryLogin {
  readonly login?: { readonly registry: string; readonly credential: Credential };
  readonly onNote?: (text: string) => void;
  /** These and no others: what this machine has is not for the apps of others. */
  readonly only?: GivenCredentials;
}

/** @throws StagerError CONFIG_INVALID for mirrors and credentials that can't be read. */
export function registryPorts(
  { settings, registries, searchPath }: Pick<Config, 'settings' | 'registries' | 'searchPath'>,
  { login, only, ...parts }: RegistryLogin & { readonly http: Got; readonly clock: Clock },
): RegistryPorts {
  const { given } = registries;
  const own = only ?? (given === undefined ? undefined : parseGivenCredentials(given, 'CNB_REGISTRY_CREDS'));
  const places = { searchPath, ...(own !== undefined && { given: own }) };
  const find = credentialFinder({ ...places, files: only === undefined ? registries.files : [] });
  return {
    ...parts,
    credentials: async (registry) => (registry === login?.registry ? login.credential : await find(registry)),
    given: credentialFinder({ ...places, files: [] }),
    insecure: settings.insecureRegistries ?? [],
    mirrors: mirrorsOf(settings.registryMirrors ?? []),
  };
}

function mirrorsOf(texts: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const mirrors = new Map<string, string[]>();
  for (const text of texts) {
    const [registry = '', address = ''] = [
      text.slice(0, text.indexOf('=')),
      text.slice(text.indexOf('=') + 1),
    ];
    if (!text.includes('=') || registry === '' || !/^https?:$/.test(URL.parse(address)?.protocol ?? '')) {
      throw new StagerError('CONFIG_INVALID', `--registry-mirror ${JSON.stringify(text)} is not HOST=URL`, {
        next: 'Write --registry-mirror docker.io=https://mirror.example.com.',
      });
    }
    mirrors.set(registry, [...(mirrors.get(registry) ?? []), address]);
  }
  return mirrors;
}
