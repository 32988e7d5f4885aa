/**
 * Signs a browser in at an OpenID Connect issuer: the authorization code flow with PKCE. The protocol is openid-client's.
 *
 * State, nonce and code verifier are derived from a seed that only the browser has, in a cookie: so a server keeps
 * nothing meanwhile, any server of an installation can go on, and an answer is good in the browser that asked for it.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type * as OpenId from 'openid-client';
import { MadeOnce } from '../../words/made-once.ts';
import { IssuerUnreachable, localHttp } from './issuer.ts';

/** Sends a request of openid-client, through the proxies and with the authorities that this machine has. */
export type IssuerFetch = OpenId.CustomFetch;

/** What the issuer knows this server as. */
export interface PageClient {
  readonly id: string;
  /** Undefined: a public client. */
  readonly secret: string | undefined;
  /** Separated by spaces. */
  readonly scopes: string;
  readonly fetch: IssuerFetch;
}

/** A sign-in that the issuer, or its answer, does not allow. */
export class SignInRefused extends Error {}

/** What one sign-in is known by, from its beginning to its end. */
export interface Attempt {
  /** See {@link newSeed}. */
  readonly seed: string;
  /** Where the issuer sends the browser back to. */
  readonly back: string;
}

interface Known {
  readonly library: typeof OpenId;
  readonly config: OpenId.Configuration;
}

export function newSeed(): string {
  return randomBytes(32).toString('base64url');
}

/** See the top of the file. */
export class CodeFlow {
  readonly #url: string;
  readonly #client: PageClient;
  readonly #known = new MadeOnce<Known>();

  /** @param url of the issuer. */
  constructor(url: string, client: PageClient) {
    this.#url = url;
    this.#client = client;
  }

  /** Where the browser signs in. @throws IssuerUnreachable. */
  async address({ seed, back }: Attempt): Promise<string> {
    const { library, config } = await this.#open();
    const { state, nonce, verifier } = secretsOf(seed);
    const address = library.buildAuthorizationUrl(config, {
      redirect_uri: back,
      scope: this.#client.scopes,
      state,
      nonce,
      code_challenge: await library.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    return address.href;
  }

  /**
   * The access token of who signed in.
   *
   * @param query of the request that the browser came back with.
   * @throws SignInRefused, IssuerUnreachable.
   */
  async token({ seed, back }: Attempt, query: string): Promise<string> {
    const { library, config } = await this.#open();
    const { state, nonce, verifier } = secretsOf(seed);
    try {
      const { access_token } = await library.authorizationCodeGrant(config, new URL(`${back}?${query}`), {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: verifier,
        idTokenExpected: true,
      });
      return access_token;
    } catch (cause) {
      if (cause instanceof IssuerUnreachable) throw cause;
      throw new SignInRefused(refusalOf(library, cause), { cause });
    }
  }

  /** Asked when somebody signs in for the first time, so that a server starts without its issuer. */
  #open(): Promise<Known> {
    return this.#known.get(() => this.#discover());
  }

  async #discover(): Promise<Known> {
    const library = await import('openid-client');
    const { id, secret, fetch } = this.#client;
    // The whole address: a UAA is below another one than that which its tokens name.
    const place = new URL(`${this.#url}/.well-known/openid-configuration`);
    const asked: IssuerFetch = async (url, options) =>
      await fetch(url, options).catch((cause: unknown) => {
        throw new IssuerUnreachable(`The issuer can't be reached: ${url}: ${String(cause)}`, { cause });
      });
    try {
      const config = await library.discovery(place, id, secret, undefined, {
        [library.customFetch]: asked,
        execute: [
          library.enableNonRepudiationChecks,
          ...(localHttp(place) ? [library.allowInsecureRequests] : []),
        ],
      });
      return { library, config };
    } catch (cause) {
      if (cause instanceof IssuerUnreachable) throw cause;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new IssuerUnreachable(`The issuer can't be used: ${place.href}: ${why}`, { cause });
    }
  }
}

/** Each is worth nothing without the seed. A verifier has 43 characters at least, as this has. */
function secretsOf(seed: string) {
  const derived = (purpose: string): string => createHmac('sha256', seed).update(purpose).digest('base64url');
  return { state: derived('state'), nonce: derived('nonce'), verifier: derived('verifier') };
}

/** A sentence for people; the issuer's own words where it gave some. */
function refusalOf(library: typeof OpenId, cause: unknown): string {
  const isAnswer =
    cause instanceof library.AuthorizationResponseError || cause instanceof library.ResponseBodyError;
  if (!isAnswer) return 'The answer of the issuer is not one to this sign-in.';
  return `The issuer refused: ${cause.error_description ?? cause.error}`;
}
