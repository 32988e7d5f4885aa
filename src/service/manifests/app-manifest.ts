/**
 * What a manifest asks of one app, with Cloud Controller's words for what is wrong (app_manifest_message.rb). The client
 * has put variables in and resolved its own keys by then. Sizes become MiB.
 */
import { z } from 'zod';
import { canonicalKey } from '../../staging/manifest/schema.ts';
import { parseMegabytes } from '../../words/units.ts';
import type { LifecycleType } from '../state/schema-apps.ts';

const MAX_INT = 2 ** 31 - 1;

const text = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const said = (error: string) => ({ error });

const whole = (name: string, least: number) =>
  z
    .union(
      [
        z.number(),
        z
          .string()
          .regex(/^-?\d+$/)
          .transform(Number),
      ],
      said(`${name} must be an integer`),
    )
    .refine((value) => Number.isInteger(value), said(`${name} must be an integer`))
    .refine(
      (value) => value >= least && value <= MAX_INT,
      said(`${name} must be greater than or equal to ${least}`),
    );

const size = (name: string) =>
  text.transform((value, context) => {
    const megabytes = parseMegabytes(value);
    if (megabytes !== undefined) return megabytes;
    context.addIssue(`${name} must use a supported unit: B, K, KB, M, MB, G, GB, T, or TB`);
    return z.NEVER;
  });

/** `1K`, `-1`, `0`: bytes a second. */
const rate = text.transform((value, context) => {
  if (value === '-1' || value === '0') return Number(value);
  const [, digits, unit = ''] = /^(\d+)(B|KB?|MB?|GB?)$/i.exec(value) ?? [];
  const power = ['B', 'K', 'M', 'G'].indexOf(unit.charAt(0).toUpperCase());
  if (digits !== undefined && power >= 0) return Number(digits) * 1024 ** power;
  context.addIssue('Log rate limit per second must use a supported unit: B, K, KB, M, MB, G, GB, T, or TB');
  return z.NEVER;
});

const healthType = (name: string) =>
  z
    .enum(['port', 'http', 'process', 'none'], said(`${name} must be "port", "process", or "http"`))
    .transform((type) => (type === 'none' ? 'process' : type));
const endpoint = text.refine(
  (path) => /^\/[\x21-\x7e]*$/.test(path),
  said('Health check endpoint must be a valid URI path'),
);

const process = {
  command: z.union([z.string().min(1).max(4096), z.null()], said('Command must be a string')).optional(),
  instances: whole('Instances', 0).optional(),
  memory: size('Memory').optional(),
  'disk-quota': size('Disk quota').optional(),
  'log-rate-limit-per-second': rate.optional(),
  'health-check-type': healthType('Health check type').optional(),
  'health-check-http-endpoint': endpoint.optional(),
  'health-check-invocation-timeout': whole('Health check invocation timeout', 1).optional(),
  'health-check-interval': whole('Health check interval', 1).optional(),
  timeout: whole('Timeout', 1).optional(),
  'readiness-health-check-type': healthType('Readiness health check type').optional(),
  'readiness-health-check-http-endpoint': endpoint.optional(),
  'readiness-health-check-invocation-timeout': whole(
    'Readiness health check invocation timeout',
    1,
  ).optional(),
  'readiness-health-check-interval': whole('Readiness health check interval', 1).optional(),
  user: text.optional(),
};

const PROCESS_KEYS = Object.keys(process);

const Process = z.preprocess(canonicalKeys, z.looseObject({ ...process, type: text }));
const Sidecar = z.preprocess(
  canonicalKeys,
  z.looseObject({
    name: text,
    command: z.string(said('Command must be a string')).min(1, said("Command can't be blank")),
    'process-types': z.array(text, said('Process types must be an array')).min(1),
    memory: z.union([z.int().min(1), size('Memory')]).optional(),
  }),
);
const Route = z.union(
  [
    z.object({
      route: z.string(said('The route must be a string')),
      protocol: z.string().optional(),
      options: z.record(z.string(), text).nullish(),
    }),
  ],
  said('Routes must be a list of route objects'),
);
const Service = z.union(
  [
    text.transform((name) => ({ name, binding_name: undefined })),
    z
      .looseObject({ name: text, binding_name: text.nullish() })
      .transform(({ name, binding_name }) => ({ name, binding_name: binding_name ?? undefined })),
  ],
  said('Services must be a list of service names'),
);
const Labels = z.record(z.string(), z.union([text, z.null()]));
const flag = (name: string) => z.boolean(said(`${name} must be a boolean`)).optional();

const Application = z.looseObject({
  ...process,
  name: text.refine((name) => name !== '', said('Name must not be empty')),
  buildpack: z.string(said('Buildpack must be a string')).nullish(),
  buildpacks: z.array(z.string(), said('Buildpacks must be an array')).nullish(),
  stack: text.nullish(),
  env: z.record(z.string(), z.unknown(), said('Env must be an object of keys and values')).nullish(),
  processes: z.array(Process, said('Processes must be an array of process configurations')).optional(),
  sidecars: z.array(Sidecar, said('Sidecars must be an array of sidecar configurations')).optional(),
  routes: z.array(Route, said('Routes must be a list of route objects')).nullish(),
  services: z.array(Service, said('Services must be a list of service names')).nullish(),
  'no-route': flag('No-route'),
  'random-route': flag('Random-route'),
  'default-route': flag('Default-route'),
  metadata: z.object({ labels: Labels.nullish(), annotations: Labels.nullish() }).nullish(),
  'cnb-credentials': z.record(z.string(), z.unknown(), said('Credentials must be an object')).nullish(),
  docker: z
    .looseObject({ image: text.nullish(), username: text.nullish() }, said('Docker is invalid'))
    .nullish(),
  lifecycle: z
    .enum(['buildpack', 'cnb', 'docker'], said('Lifecycle must be "buildpack", "cnb", or "docker"'))
    .optional(),
});

/** One application of a manifest. Keys have dashes; those that nobody knows are still there. */
export const AppManifest = z.preprocess(
  canonicalKeys,
  Application.refine(
    ({ docker, buildpack, buildpacks }) => docker == null || (buildpack ?? buildpacks) === undefined,
    said('Cannot specify both buildpack(s) and docker keys'),
  ),
);
export type AppManifest = z.output<typeof Application>;
export type ProcessManifest = z.output<typeof Process>;
export type SidecarManifest = z.output<typeof Sidecar>;
export type RouteManifest = z.output<typeof Route>;

/** The lifecycle that an application asks for; undefined when it says nothing. */
export function lifecycleOfManifest({ docker, lifecycle }: AppManifest): LifecycleType | undefined {
  if (lifecycle === 'cnb' || lifecycle === 'buildpack') return lifecycle;
  return docker == null ? lifecycle : 'docker';
}

/** The processes that an application asks for: keys of its own are those of web, unless that has an entry. */
export function processesOfManifest(app: AppManifest): readonly ProcessManifest[] {
  const listed = app.processes ?? [];
  if (listed.some(({ type }) => type === 'web')) return listed;
  const own = Object.fromEntries(Object.entries(app).filter(([key]) => PROCESS_KEYS.includes(key)));
  return Object.keys(own).length === 0
    ? listed
    : [Process.parse({ ...own, type: 'web', ...sizes(app) }), ...listed];
}

/** Parsed already: back into texts that the schema takes. */
function sizes(app: AppManifest) {
  return {
    ...(app.memory !== undefined && { memory: `${app.memory}M` }),
    ...(app['disk-quota'] !== undefined && { 'disk-quota': `${app['disk-quota']}M` }),
    ...(app['log-rate-limit-per-second'] !== undefined && {
      'log-rate-limit-per-second':
        app['log-rate-limit-per-second'] > 0
          ? `${app['log-rate-limit-per-second']}B`
          : app['log-rate-limit-per-second'],
    }),
  };
}

function canonicalKeys(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [canonicalKey(key), item]));
}
