/** `nginx:` of buildpack.yml. */
import { join } from 'node:path';
import { z } from 'zod';
import {
  BuildpackFailure,
  type Dependency,
  isThere,
  readYaml,
  type StepContext,
  versionsOf,
} from '../../kit/index.ts';
import { wrongShapes } from '../../kit/shape.ts';

const schema = z.object({
  nginx: z
    .object({
      version: z.string().optional(),
      dist: z.string().optional(),
      plaintext_env_vars: z.array(z.string()).default([]),
    })
    .nullable()
    .optional(),
});

/** What an app asks for. */
export interface Settings {
  readonly version: string | undefined;
  readonly plain: ReadonlySet<string>;
}

/** @throws BuildpackFailure for options of a wrong kind, and for OpenResty. */
export async function readSettings(dir: string): Promise<Settings> {
  const value = (await readYaml(join(dir, 'buildpack.yml'))) ?? {};
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    throw new BuildpackFailure(
      `buildpack.yml is not valid:\n${wrongShapes(parsed.error, value, 'buildpack.yml').join('\n')}`,
      { next: 'Use something like: nginx: { version: 1.26.x }' },
    );
  }
  const { version, dist, plaintext_env_vars: plain } = parsed.data.nginx ?? { plaintext_env_vars: [] };
  if (dist !== undefined && dist !== 'nginx') {
    throw new BuildpackFailure(`buildpack.yml asks for dist: ${dist}, which no package registry has`, {
      next: 'Leave dist out; {{module "ngx_http_lua_module"}} brings Lua to nginx.',
    });
  }
  return { version, plain: new Set(plain) };
}

/** `stable` and `mainline` are the even and the odd lines. */
export function chooseNginx(
  context: Pick<StepContext, 'manifest' | 'env' | 'log' | 'choose'>,
  wish: string | undefined,
): Dependency {
  const { manifest, env, log } = context;
  const listed = versionsOf(manifest, 'nginx', { stack: env['CF_STACK'] ?? '', arch: process.arch });
  const line = (odd: number) =>
    listed.find((version) => Number(version.split('.')[1]) % 2 === odd) ?? 'no such line';
  const range = wish === 'stable' ? line(0) : wish === 'mainline' ? line(1) : wish;
  const found = context.choose('nginx', range);
  const source = wish === undefined ? 'nothing asks for one: the default' : `${wish}, buildpack.yml`;
  log.info(`nginx ${found.version} (${source})`);
  return found;
}

/** Files of older or other buildpacks that nobody reads here. */
export async function tellIgnored({ buildDir, log }: Pick<StepContext, 'buildDir' | 'log'>): Promise<void> {
  if (await isThere(join(buildDir, 'nginx.yml'))) {
    log.warning('nginx.yml is ignored; its place is the key nginx of buildpack.yml.');
  }
}
