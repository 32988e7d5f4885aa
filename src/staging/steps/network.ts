/** The network of a staging's scripts: which one they get, and what it had to do with a script that failed. */
import type { ApartWish, Sandbox } from '../../machine/sandbox/port/sandbox.ts';
import { isStagerError, type StagerError } from '../../words/errors.ts';
import type { Staging } from './staging.ts';

/** A network of its own where the scripts are to have one. */
export function apartWish(staging: Staging): ApartWish {
  return staging.network().kind === 'egress' ? { egress: 'staging' } : {};
}

/** What is asked of a staging here. */
interface Networked {
  network(): Pick<ReturnType<Staging['network']>, 'kind'>;
  readonly ports: { readonly sandbox: Pick<Sandbox, 'ownNetwork'> };
}

/** A script without a network, or one that asked for what is not let out, fails with words that don't say so. */
export async function withNetworkHint(error: StagerError, staging: Networked): Promise<StagerError> {
  const hint = isOfScript(error) ? await hintOf(staging) : undefined;
  if (hint === undefined) return error;
  return error.with({ next: [error.next, hint].filter(Boolean).join(' ') });
}

const isOfScript = (error: StagerError): boolean =>
  (['SUPPLY_FAILED', 'COMPILE_FAILED', 'RELEASE_FAILED', 'STAGING_TIMEOUT', 'NO_APP_DETECTED'] as const).some(
    (code) => isStagerError(error, code),
  );

async function hintOf(staging: Networked): Promise<string | undefined> {
  const { kind } = staging.network();
  if (kind === 'none') {
    return 'The network is not broken: scripts have none (--network none), so what they need has to be in the app, its cache or the stack.';
  }
  const refused = kind === 'egress' ? await staging.ports.sandbox.ownNetwork?.refused().catch(() => []) : [];
  if (refused === undefined || refused.length === 0) return undefined;
  return `Its network refused ${refused.slice(0, MOST).join(', ')}: allow what is needed with --egress-rules or --allow-host.`;
}

/** More would hide the sentence. */
const MOST = 8;
