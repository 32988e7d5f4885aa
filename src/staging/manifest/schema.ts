/**
 * The shape of an app in a Cloud Foundry manifest, as far as staging and running a droplet go.
 *
 * What the cf client decodes into texts (name, path, sizes) may be any scalar; null is a key that was left out.
 */
import { z } from 'zod';
import { parseMegabytes } from '../../words/units.ts';

const text = z.union([z.string(), z.number(), z.boolean()], { error: 'must be a string' }).transform(String);
const list = <T extends z.ZodType>(of: T) => z.array(of, { error: 'must be a list' });

const size = text.transform((value, context) => {
  const megabytes = parseMegabytes(value);
  if (megabytes !== undefined) return megabytes;
  context.addIssue(`${JSON.stringify(value)} is not a size with a unit, such as 512M`);
  return z.NEVER;
});

const count = z.int({ error: 'must be a whole number of at least 1' }).min(1, {
  error: 'must be a whole number of at least 1',
});
const command = z
  .string({ error: 'must be a string' })
  .min(1, { error: 'must not be empty' })
  .max(4096, { error: 'is longer than 4096 characters' });
const processType = text.refine((value) => /^[\w.-]{1,255}$/.test(value), {
  error: 'a process type is letters, digits, _ . or -',
});
const envValue = z.union([
  z.string(),
  z.number(),
  z.boolean(),
  z.null(),
  z.record(z.string(), z.unknown()),
  z.array(z.unknown()),
]);

/** What applications and processes have in common. Sizes are MiB, times seconds. */
const instance = {
  command: command.exactOptional(),
  memory: size.exactOptional(),
  'disk-quota': size.exactOptional(),
  'health-check-type': z
    .enum(['port', 'http', 'process', 'none'], { error: 'must be port, http or process' })
    .exactOptional(),
  'health-check-http-endpoint': text.exactOptional(),
  'health-check-invocation-timeout': count.exactOptional(),
  'health-check-interval': count.exactOptional(),
  timeout: count.exactOptional(),
};

const amount = z.int({ error: 'must be a whole number' }).min(0, { error: 'must not be negative' });
const yesOrNo = z.boolean({ error: 'must be true or false' });
const map = z.record(z.string(), z.unknown(), { error: 'must be a map' });
const checkType = z.enum(['port', 'http', 'process'], { error: 'must be port, http or process' });

/** What a foundation understands and staging has no use for: of the right type all the same, or a push would fail. */
const unusedOfInstance = {
  instances: amount.exactOptional(),
  'log-rate-limit-per-second': text.exactOptional(),
  'readiness-health-check-type': checkType.exactOptional(),
  'readiness-health-check-http-endpoint': text.exactOptional(),
  'readiness-health-check-invocation-timeout': count.exactOptional(),
  'readiness-health-check-interval': count.exactOptional(),
};
const unusedOfApplication = {
  'cnb-credentials': map.exactOptional(),
  'default-route': yesOrNo.exactOptional(),
  features: z
    .record(z.string(), yesOrNo, { error: 'must be a map of names to true or false' })
    .exactOptional(),
  metadata: map.exactOptional(),
  'no-route': yesOrNo.exactOptional(),
  'random-route': yesOrNo.exactOptional(),
  routes: list(
    z.looseObject({ route: text }, { error: 'must be a map such as route: app.example.com' }),
  ).exactOptional(),
};

/** The keys of an application that are about its web process. */
export const INSTANCE_KEYS = [
  'memory',
  'disk-quota',
  'command',
  'health-check-type',
  'health-check-http-endpoint',
  'health-check-invocation-timeout',
  'health-check-interval',
  'timeout',
] as const satisfies readonly (keyof typeof instance)[];

const processSchema = z.object(
  { ...instance, ...unusedOfInstance, type: processType },
  { error: 'must be a map' },
);

const sidecarSchema = z.object(
  {
    name: text.refine((value) => value.length > 0 && value.length <= 255, {
      error: 'must have 1 to 255 characters',
    }),
    process_types: list(processType).min(1, { error: 'must name a process type' }),
    command,
    // Cloud Controller takes a bare number here, and only here.
    memory: z.union([z.int().min(1), size]).exactOptional(),
  },
  { error: 'must be a map' },
);

const service = z.union([text, z.object({ name: text })], { error: 'must be a name, or a map with a name' });
const buildpack = z.string({ error: 'must be a string' }).min(1, { error: 'must not be empty' });

const application = z.object(
  {
    ...instance,
    ...unusedOfInstance,
    ...unusedOfApplication,
    name: text.refine((value) => value !== '', { error: 'must not be empty' }).exactOptional(),
    path: text.exactOptional(),
    buildpack: buildpack.nullable().exactOptional(),
    buildpacks: list(buildpack).nullable().exactOptional(),
    stack: text.exactOptional(),
    env: z.record(z.string(), envValue, { error: 'must be a map of names to values' }).exactOptional(),
    processes: list(z.preprocess(canonical, processSchema)).exactOptional(),
    sidecars: list(z.preprocess(withoutNulls, sidecarSchema)).exactOptional(),
    services: list(service).exactOptional(),
    lifecycle: text.exactOptional(),
    docker: z.unknown().optional(),
  },
  { error: 'must be a map' },
);

/** One application. Sizes become MiB. */
export const appSchema = z.preprocess(canonical, application.superRefine(refuseContradictions));

/** A parsed application; the name may be missing where there is only one. */
export type ManifestApp = z.output<typeof appSchema>;

/** What an application says of its web process, or a process of itself. */
export type ManifestInstance = Pick<ManifestApp, (typeof INSTANCE_KEYS)[number]>;

/** Every key that means something, in the form of {@link canonicalKey}. */
export const KNOWN_KEYS = {
  application: new Set(Object.keys(application.shape)),
  process: new Set([...Object.keys(processSchema.shape), 'user']),
  sidecar: new Set(Object.keys(sidecarSchema.shape).map(canonicalKey)),
} as const satisfies Record<string, ReadonlySet<string>>;

/** Cloud Controller treats `-` and `_` as the same in the keys of applications and processes. */
export function canonicalKey(key: string): string {
  return key.replaceAll('_', '-');
}

function canonical(value: unknown, context: z.RefinementCtx): unknown {
  const map = withoutNulls(value);
  if (!isMap(map)) return map;
  const found = new Map<string, unknown>();
  for (const [key, item] of Object.entries(map)) {
    const name = canonicalKey(key);
    if (found.has(name))
      context.addIssue({ code: 'custom', path: [key], message: `is also given as ${name}` });
    found.set(name, item);
  }
  return Object.fromEntries(found);
}

/** For a buildpack null means detect; elsewhere it counts as no key. */
function withoutNulls(value: unknown): unknown {
  if (!isMap(value)) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([key, item]) => item !== null || key.startsWith('buildpack')),
  );
}

function isMap(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refuseContradictions(app: z.output<typeof application>, context: z.RefinementCtx): void {
  if (app.buildpack !== undefined && app.buildpacks !== undefined) {
    context.addIssue({ code: 'custom', path: ['buildpack'], message: 'is given along with buildpacks' });
  }
  const seen = new Set<string>();
  for (const [index, { type }] of (app.processes ?? []).entries()) {
    const path = ['processes', index, 'type'];
    if (seen.has(type)) context.addIssue({ code: 'custom', path, message: `${type} is given twice` });
    seen.add(type);
  }
}
