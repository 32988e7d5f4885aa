/**
 * The environment that buildpack scripts see (staging-internals.md 4.1, buildpack-contracts.md 1.10, 4.3, 4.4).
 * It starts empty: no variable of the process that runs stager gets in.
 *
 * One table of variables, two deliveries: Cloud Foundry's families get the app's variables in the environment,
 * Heroku's as files in ENV_DIR.
 */

import { sha256OfBytes } from '../../../words/digest.ts';
import { type ApplicationFacts, encodeSorted, stagingApplication } from '../../vcap/application.ts';
import { checkVariables } from '../../vcap/names.ts';
import { databaseUrl, encodeServices, type Services } from '../../vcap/services.ts';
import { INSIDE } from '../../workspace/layout.ts';
import type { Family } from '../contract/contract.ts';

type Variables = Readonly<Record<string, string>>;

/** What the environment is made of. */
export interface ScriptEnvironmentInput {
  readonly app: ApplicationFacts;
  readonly stack: string;
  /** Value of CF_STACK where it is not the stack's name. */
  readonly cfStack?: string;
  /** Variables of the app, from `--env-file`, a manifest, `--env`, later ones already on top. */
  readonly appEnv: Variables;
  /** The operator's staging environment variable group: lowest precedence. */
  readonly groupEnv?: Variables;
  readonly services?: Services;
  /** Proxy and CA variables; the app may override them. */
  readonly platformEnv?: Variables;
  /** Guid of the build: Heroku's REQUEST_ID. Left out, one that follows from the input is used. */
  readonly requestId?: string;
  /** Digest of what is staged; VCAP_APPLICATION's version and Heroku's SOURCE_VERSION follow from it. */
  readonly sourceDigest?: string;
}

/** Heroku's value where the stack is not one of Heroku's: buildpacks refuse names that they don't know. */
const DEFAULT_HEROKU_STACK = 'heroku-24';

const CONTAINER: Variables = {
  LANG: 'en_US.UTF-8',
  HOME: INSIDE.home,
  USER: 'vcap',
  PATH: '/usr/local/bin:/usr/bin:/bin',
};

/** Set by the cell after everything else; a staging has no ports. The address is constant, for equal droplets. */
const INSTANCE: Variables = {
  CF_INSTANCE_ADDR: '',
  CF_INSTANCE_IP: '127.0.0.1',
  CF_INSTANCE_INTERNAL_IP: '127.0.0.1',
  CF_INSTANCE_PORT: '',
  CF_INSTANCE_PORTS: '[]',
};

/** The environment of a staging; ask per family. */
export interface StagingEnvironment {
  /** Variables of the process. */
  processEnv(family: Family): Variables;
  /** Files of ENV_DIR; empty for Cloud Foundry's families. */
  configVars(family: Family): Variables;
}

/**
 * Checks the input and makes the environment.
 *
 * @throws StagerError ENV_NAME_REFUSED for names that belong to the platform, SERVICES_INVALID when
 * VCAP_SERVICES is longer than Linux allows for one variable.
 */
export function stagingEnvironment(input: ScriptEnvironmentInput): StagingEnvironment {
  checkVariables(input.groupEnv ?? {}, 'staging environment variable group');
  checkVariables(input.appEnv, 'environment of the app');
  const services = input.services ?? {};
  const document = encodeServices(services);
  const database = databaseUrl(services);
  const own = { ...input.groupEnv, ...input.appEnv };
  const computed: Variables = database === undefined ? {} : { DATABASE_URL: database };
  const seed = [input.app, input.stack, input.sourceDigest ?? ''];
  const cf: Variables = {
    ...CONTAINER,
    ...input.platformEnv,
    ...own,
    CF_STACK: input.cfStack ?? input.stack,
    VCAP_APPLICATION: stagingApplication(input.app, stableUuid(['version', ...seed])),
    MEMORY_LIMIT: `${input.app.limits.memoryMb}m`,
    VCAP_SERVICES: document,
    ...computed,
    ...INSTANCE,
  };
  const heroku: Variables = {
    ...CONTAINER,
    ...input.platformEnv,
    // What tools read from the process must reach it: the platform does not export config vars to compile.
    ...proxiesOf(own),
    STACK: herokuStack(input.stack, own),
    SOURCE_VERSION: own['SOURCE_VERSION'] ?? input.sourceDigest?.slice(0, 40) ?? stableHex(seed).slice(0, 40),
    REQUEST_ID: input.requestId ?? stableUuid(['request', ...seed]),
    DYNO: 'build.1',
  };
  return {
    processEnv: (family) => (family === 'heroku' ? heroku : cf),
    configVars: (family) => (family === 'heroku' ? { ...own, ...computed } : {}),
  };
}

/** STACK: the chosen stack when it is one of Heroku's, else what the app says, else a current one. */
function herokuStack(stack: string, own: Variables): string {
  return /^heroku-\d/.test(stack) ? stack : (own['STACK'] ?? DEFAULT_HEROKU_STACK);
}

function proxiesOf(own: Variables): Variables {
  return Object.fromEntries(Object.entries(own).filter(([name]) => /^(https?|no)_proxy$/i.test(name)));
}

function stableHex(seed: readonly unknown[]): string {
  return sha256OfBytes(encodeSorted(seed));
}

/** A UUID (version 8: custom) that follows from `seed`: a random one in a file makes every droplet differ. */
function stableUuid(seed: readonly unknown[]): string {
  const hex = stableHex(seed);
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}
