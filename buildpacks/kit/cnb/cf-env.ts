/** The variables that buildpacks for Cloud Foundry find there, where another platform runs them. */
import { isThere } from '../files.ts';
import type { Env } from '../mirrors.ts';

/** Cloud Foundry's stacks, by the distribution that they are made of. */
const STACKS: Readonly<Record<string, string>> = {
  'ubuntu 18.04': 'cflinuxfs3',
  'ubuntu 22.04': 'cflinuxfs4',
  'ubuntu 24.04': 'cflinuxfs5',
};

const AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt';
/** Of tools that bring a list of authorities along, and do not look at that of the image. */
const TRUST = [
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'PIP_CERT',
  'REQUESTS_CA_BUNDLE',
  'CURL_CA_BUNDLE',
] as const;

/** `env` with what is missing in it. */
export async function cfEnvironment(env: Env, authorities = AUTHORITIES): Promise<Env> {
  const { CF_STACK, CNB_STACK_ID, CNB_TARGET_DISTRO_NAME: name, CNB_TARGET_DISTRO_VERSION: version } = env;
  const stack = CF_STACK ?? STACKS[`${name} ${version}`] ?? CNB_STACK_ID;
  const trusted = (await isThere(authorities)) ? TRUST.map((variable) => [variable, authorities]) : [];
  return { ...Object.fromEntries(trusted), ...env, ...(stack !== undefined && { CF_STACK: stack }) };
}
