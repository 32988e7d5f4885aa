/** How the library's callers say which registries hold images. */
import type { RegistryLogin } from '../../stores/registry/open.ts';
import type { ImageReference } from '../../stores/registry/reference.ts';

/** How image registries are reached; credentials are found in the files of docker and podman. */
export interface RegistryOptions {
  /** `HOST=URL`: addresses that are asked first for images of a registry. */
  readonly registryMirrors?: readonly string[];
  /** Registries without TLS; one on loopback needs no mention. */
  readonly insecureRegistries?: readonly string[];
  /** Signs in to the registry of the image that is named, instead of with what the files hold. */
  readonly registryLogin?: { readonly username: string; readonly password: string };
}

/** The login that the options name, for the registry of `reference`. */
export function loginTo(
  { registry }: ImageReference,
  { registryLogin }: Pick<RegistryOptions, 'registryLogin'>,
): RegistryLogin {
  if (registryLogin === undefined) return {};
  return { login: { registry, credential: { kind: 'basic', ...registryLogin } } };
}
