/** `/`, `/v3`, `/v3/info`: where everything is. Clients read these before they sign in. */
import { z } from 'zod';
import { route } from '../../route/define-route.ts';
import { partUrl, signInUrl } from '../../route/foundation.ts';

/**
 * Of Cloud Controller. Clients choose their requests by it: 3.168 is where `--lifecycle` begins, 3.211 where stacks have
 * states and `cf apps` asks for embedded process instances.
 */
export const API_VERSION = '3.211.0';

const RootLink = z.object({ href: z.string(), meta: z.record(z.string(), z.string()).optional() }).nullable();
const Root = z.object({ links: z.record(z.string(), RootLink) });

const root = route({
  method: 'GET',
  path: '/',
  summary: 'Say where the parts of the API are',
  access: 'anyone',
  answers: { 200: Root },
  handle: async ({ base, service }) => ({
    status: 200,
    body: {
      links: {
        self: { href: base },
        cloud_controller_v2: null,
        cloud_controller_v3: { href: `${base}/v3`, meta: { version: API_VERSION } },
        login: { href: signInUrl(service, { base, part: 'login' }) },
        uaa: { href: signInUrl(service, { base, part: 'uaa' }) },
        log_cache: { href: partUrl(service.settings, { base, part: 'log-cache' }) ?? base },
        log_stream: null,
        // Older clients want one. Nothing listens there: logs are read from log-cache's API.
        logging: { href: base.replace(/^https?:/, 'wss:') },
        network_policy_v0: null,
        network_policy_v1: null,
        credhub: null,
        routing: null,
        app_ssh: null,
        stager: { href: `${base}/stager/v1`, meta: { version: service.settings.version } },
      },
    },
  }),
});

const RESOURCES = [
  'apps',
  'audit_events',
  'builds',
  'buildpacks',
  'deployments',
  'domains',
  'droplets',
  'environment_variable_groups',
  'feature_flags',
  'isolation_segments',
  'organization_quotas',
  'organizations',
  'packages',
  'processes',
  'resource_matches',
  'roles',
  'routes',
  'security_groups',
  'service_brokers',
  'service_credential_bindings',
  'service_instances',
  'service_offerings',
  'service_plans',
  'service_route_bindings',
  'spaces',
  'stacks',
  'tasks',
  'users',
] as const;

const v3 = route({
  method: 'GET',
  path: '/v3',
  summary: 'Say which resources there are',
  access: 'anyone',
  answers: { 200: Root },
  handle: async ({ base }) => {
    const links = RESOURCES.map((name) => [name, { href: `${base}/v3/${name}` }]);
    return { status: 200, body: { links: Object.fromEntries([['self', { href: `${base}/v3` }], ...links]) } };
  },
});

const Info = z.object({
  build: z.string(),
  cli_version: z.object({ minimum: z.string(), recommended: z.string() }),
  custom: z.record(z.string(), z.string()),
  description: z.string(),
  name: z.string(),
  version: z.int(),
  osbapi_version: z.string(),
  rate_limits: z.object({
    enabled: z.boolean(),
    general_limit: z.int(),
    reset_interval_in_minutes: z.int(),
  }),
  links: z.record(z.string(), z.object({ href: z.string() })),
});

const info = route({
  method: 'GET',
  path: '/v3/info',
  summary: 'Describe this installation',
  access: 'anyone',
  answers: { 200: Info },
  handle: async ({ base, service }) => ({
    status: 200,
    body: {
      build: service.settings.version,
      cli_version: { minimum: '', recommended: '' },
      custom: {},
      description: 'The staging part of Cloud Foundry',
      name: service.settings.name,
      version: 0,
      osbapi_version: '',
      rate_limits: {
        enabled: (service.settings.rateLimit ?? 0) > 0,
        general_limit: service.settings.rateLimit ?? 0,
        reset_interval_in_minutes: 1,
      },
      links: { self: { href: `${base}/v3/info` }, support: { href: '' } },
    },
  }),
});

export const rootRoutes = [root, v3, info];
