/** The addresses in the root document of a server. */
import { z } from 'zod';
import { StagerError } from '../words/errors.ts';
import { exchange, type RemoteParts, read } from './http.ts';

const Link = z.object({ href: z.url() });
const Root = z.object({
  links: z.object({
    cloud_controller_v3: Link,
    login: Link.nullish(),
    uaa: Link.nullish(),
    /** Ours alone. */
    stager: Link.nullish(),
  }),
});

export interface ServerLinks {
  readonly api: string;
  readonly login: string;
  /** Of what only a stager server offers. */
  readonly stager: string | undefined;
}

/** @throws StagerError CONFIG_INVALID for what is not an address, SERVER_UNAVAILABLE. */
export async function serverLinks(
  parts: Pick<RemoteParts, 'http' | 'signal'>,
  address: string,
): Promise<ServerLinks> {
  const url = serverUrl(address);
  const { links } = read(url, await exchange(parts, `${url}/`, { method: 'GET' }), Root);
  const login = links.login ?? links.uaa;
  if (login === undefined || login === null) {
    throw new StagerError('SERVER_UNAVAILABLE', `${url} does not say where to sign in`, {
      next: 'Give the address that `stager serve` printed.',
    });
  }
  return {
    api: links.cloud_controller_v3.href,
    login: login.href.replace(/\/$/, ''),
    stager: links.stager?.href,
  };
}

/** The address without a slash at its end. @throws StagerError CONFIG_INVALID. */
export function serverUrl(address: string): string {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url !== undefined && ['http:', 'https:'].includes(url.protocol) && url.username === '')
    return url.href.replace(/\/$/, '');
  throw new StagerError('CONFIG_INVALID', `${JSON.stringify(address)} is not the address of a server`, {
    next: 'Give an http or https URL without credentials, such as https://stager.example.com.',
  });
}
