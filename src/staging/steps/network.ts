/** The network of a staging's scripts: which one they get, and whether it explains why a script failed. */
import { loopbackNames } from '../../machine/network/loopback.ts';
import type { ApartWish, Sandbox } from '../../machine/sandbox/port/sandbox.ts';
import { isStagerError, type StagerError } from '../../words/errors.ts';
import type { StageRequest } from '../request/request.ts';
import type { Staging } from './staging.ts';

/** A network of its own where the scripts are to have one. */
export function apartWish(staging: Staging): ApartWish {
  return staging.network().kind === 'egress' ? { egress: 'staging' } : {};
}

/** What is asked of a staging here. */
interface Networked {
  network(): Pick<ReturnType<Staging['network']>, 'kind'>;
  readonly request: Pick<StageRequest, 'env'>;
  readonly ports: { readonly sandbox: Pick<Sandbox, 'ownNetwork' | 'egress'> };
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
  if (kind !== 'egress') return undefined;
  const { ownNetwork, egress } = staging.ports.sandbox;
  const refused = (await ownNetwork?.refused().catch(() => [])) ?? [];
  const names = loopbackNames(staging.request.env, egress?.had === true ? egress.allowed : []);
  const hints = [
    refused.length > 0 &&
      `Its network refused ${refused.slice(0, MOST).join(', ')}: allow what is needed with --egress-rules or --allow-host.`,
    names.length > 0 &&
      `The loopback interface of a script is its own, not this machine's: ${names.slice(0, MOST).join('; ')}.`,
  ].filter(Boolean);
  return hints.length === 0 ? undefined : hints.join(' ');
}

/** More would hide the sentence. */
const MOST = 8;
