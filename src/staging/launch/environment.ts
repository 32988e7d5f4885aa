/** The environment of a process, a sidecar or a task (staging-internals.md 4.2, 7.3). */
import {
  type ApplicationFacts,
  DEFAULT_FDS,
  runningApplication,
  stagingApplication,
  withInstance,
} from '../vcap/application.ts';
import { databaseUrl, encodeServices, type Services } from '../vcap/services.ts';
import { RUN_INSIDE } from './layout.ts';

/** What the environment is made from. */
export interface LaunchEnvironmentInput {
  /** The app's own variables; names are checked where they come in. */
  readonly env: Readonly<Record<string, string>>;
  readonly services?: Services;
  readonly app: Omit<ApplicationFacts, 'limits'>;
  /** Memory of the instance as a whole. */
  readonly memoryMb: number;
  readonly diskMb: number;
  /** Memory of this one process: what MEMORY_LIMIT says. */
  readonly processMemoryMb: number;
  /** Absent for a task, which has neither port nor index. */
  readonly instance?: InstanceFacts;
  readonly version: string;
}

/** Which instance of which process. */
export interface InstanceFacts {
  readonly guid: string;
  readonly index: number;
  readonly processGuid: string;
  readonly processType: string;
  readonly port: number;
}

/** Loopback: what runs here is reached from this machine. */
const ADDRESS = '127.0.0.1';

/**
 * All variables, later ones over earlier: container < app < platform < DATABASE_URL < launcher. Nothing of the
 * caller's own environment gets in.
 */
export function processEnvironment(input: LaunchEnvironmentInput): Record<string, string> {
  const { instance, services = {} } = input;
  const url = databaseUrl(services);
  const platform: Record<string, string> = {
    LANG: 'en_US.UTF-8',
    USER: 'vcap',
    PATH: '/usr/local/bin:/usr/bin:/bin',
    ...input.env,
    VCAP_APPLICATION: application(input),
    VCAP_SERVICES: encodeServices(services),
    MEMORY_LIMIT: `${input.processMemoryMb}m`,
    ...(url === undefined ? {} : { DATABASE_URL: url }),
    ...(instance === undefined ? taskVariables() : instanceVariables(instance)),
    HOME: RUN_INSIDE.app,
    TMPDIR: RUN_INSIDE.tmp,
    DEPS_DIR: RUN_INSIDE.deps,
  };
  const { VCAP_PLATFORM_OPTIONS: _, VCAP_APPLICATION: text = '', ...rest } = platform;
  return { ...rest, VCAP_APPLICATION: withInstance(text, platform) };
}

function application({ app, memoryMb, diskMb, instance, version }: LaunchEnvironmentInput): string {
  const facts = { ...app, limits: { memoryMb, diskMb, fds: DEFAULT_FDS } };
  if (instance === undefined) return stagingApplication(facts, version);
  return runningApplication(facts, { guid: instance.processGuid, type: instance.processType, version });
}

function instanceVariables(instance: InstanceFacts): Record<string, string> {
  const { guid, index, port } = instance;
  return {
    PORT: String(port),
    VCAP_APP_PORT: String(port),
    VCAP_APP_HOST: '0.0.0.0',
    INSTANCE_GUID: guid,
    INSTANCE_INDEX: String(index),
    CF_INSTANCE_GUID: guid,
    CF_INSTANCE_INDEX: String(index),
    CF_INSTANCE_IP: ADDRESS,
    CF_INSTANCE_INTERNAL_IP: ADDRESS,
    CF_INSTANCE_PORT: String(port),
    CF_INSTANCE_ADDR: `${ADDRESS}:${port}`,
    CF_INSTANCE_PORTS: JSON.stringify([{ external: port, internal: port }]),
  };
}

function taskVariables(): Record<string, string> {
  return {
    CF_INSTANCE_IP: ADDRESS,
    CF_INSTANCE_INTERNAL_IP: ADDRESS,
    CF_INSTANCE_PORT: '',
    CF_INSTANCE_ADDR: '',
    CF_INSTANCE_PORTS: '[]',
  };
}
