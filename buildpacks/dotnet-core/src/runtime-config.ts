/** What a published app says about itself: `<name>.runtimeconfig.json` and `<name>.deps.json`. */
import { access } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { BuildpackFailure, readJson } from '../../kit/index.ts';
import { wrongShapes } from '../../kit/shape.ts';
import { type Policy, policyOf } from './roll-forward.ts';

/** A shared framework that an app wants. */
export interface Framework {
  readonly name: string;
  readonly version: string;
  readonly policy: Policy;
}

/** The parsed file. */
export interface RuntimeConfig {
  /** Empty: the runtime is in the app. */
  readonly frameworks: readonly Framework[];
  /** Those that a self-contained app has inside. */
  readonly included: readonly { readonly name: string; readonly version: string }[];
  readonly properties: Readonly<Record<string, unknown>>;
}

const reference = z.object({ name: z.string(), version: z.string(), rollForward: z.string().optional() });
const schema = z.object({
  runtimeOptions: z.object({
    framework: reference.optional(),
    frameworks: z.array(reference).optional(),
    includedFrameworks: z.array(reference).optional(),
    rollForward: z.string().optional(),
    rollForwardOnNoCandidateFx: z.number().optional(),
    applyPatches: z.boolean().optional(),
    configProperties: z.record(z.string(), z.unknown()).optional(),
  }),
});

const PUBLISH = 'dotnet publish -c Release -r linux-x64 --self-contained -o out, then stage out';

type Env = Readonly<Record<string, string | undefined>>;

/** @throws BuildpackFailure for what is no such file. */
export async function readRuntimeConfig(dir: string, file: string, env: Env): Promise<RuntimeConfig> {
  const value = await readJson(dir, file);
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    throw new BuildpackFailure(
      `${file} is not valid:\n${wrongShapes(parsed.error, value, file).join('\n')}`,
      {
        next: `Publish the app again: ${PUBLISH}.`,
      },
    );
  }
  const options = parsed.data.runtimeOptions;
  const wanted = [
    ...(options.framework === undefined ? [] : [options.framework]),
    ...(options.frameworks ?? []),
  ];
  return {
    frameworks: wanted.map(({ name, version, rollForward }) => ({
      name,
      version,
      policy: policyOf({ ...options, rollForward: rollForward ?? options.rollForward }, env, file),
    })),
    included: options.includedFrameworks ?? [],
    properties: options.configProperties ?? {},
  };
}

const files = z.record(z.string(), z.unknown()).optional();
const depsSchema = z.object({
  runtimeTarget: z.object({ name: z.string() }),
  targets: z
    .record(z.string(), z.record(z.string(), z.looseObject({ runtime: files, native: files })))
    .default({}),
});

/** What the app was published for, and what of it is missing. */
export interface Parts {
  /** `linux-x64`; undefined: any machine. */
  readonly rid: string | undefined;
  readonly missing: readonly string[];
  /** Names of its packages. */
  readonly packages: readonly string[];
}

/** Undefined when there is no such file. */
export async function readParts(dir: string, file: string): Promise<Parts | undefined> {
  const value = await readJson(dir, file);
  if (value === undefined) return undefined;
  const parsed = depsSchema.safeParse(value);
  if (!parsed.success) {
    throw new BuildpackFailure(
      `${file} is not valid:\n${wrongShapes(parsed.error, value, file).join('\n')}`,
      {
        next: `Publish the app again: ${PUBLISH}.`,
      },
    );
  }
  const { name } = parsed.data.runtimeTarget;
  const libraries = parsed.data.targets[name] ?? {};
  const missing: string[] = [];
  for (const { runtime, native } of Object.values(libraries)) {
    for (const path of Object.keys({ ...runtime, ...native })) {
      const at = basename(path);
      if (at === '_._' || !/\.(dll|so)$/.test(at)) continue;
      // Publishing flattens the folders of a package, but keeps those of the app's own files.
      const there = await Promise.any([at, path].map((it) => access(join(dir, it)))).then(
        () => true,
        () => false,
      );
      if (!there) missing.push(at);
    }
  }
  const packages = Object.keys(libraries).map((library) => library.replace(/\/.*$/, ''));
  return { rid: name.includes('/') ? name.slice(name.indexOf('/') + 1) : undefined, missing, packages };
}
