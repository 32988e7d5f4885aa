/** A published .NET app: which one, how it was published, and what keeps it from running here. */
import { glob, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { BuildpackFailure, isThere, readJson } from '../../kit/index.ts';
import { type ProgramKind, programKind } from './program-kind.ts';
import { type Parts, type RuntimeConfig, readParts, readRuntimeConfig } from './runtime-config.ts';

/** An app that this buildpack can start. */
export interface DotnetApp {
  readonly name: string;
  /** Its own program; otherwise it is started with `dotnet`. */
  readonly program: string | undefined;
  /** Undefined: a single file, which has it inside. */
  readonly config: RuntimeConfig | undefined;
  readonly parts: Parts | undefined;
  /** Things to know that are not in the way. */
  readonly warnings: readonly string[];
}

type Env = Readonly<Record<string, string | undefined>>;

const ENDING = '.runtimeconfig.json';
const PUBLISH = 'dotnet publish -c Release -r linux-x64 --self-contained -o out';

/** @throws BuildpackFailure for what can't be started, with the way out. */
export async function readDotnetApp(dir: string, env: Env): Promise<DotnetApp> {
  const names = (await readdir(dir))
    .filter((name) => name.endsWith(ENDING))
    .map((name) => name.slice(0, -ENDING.length));
  if (names.length === 0) return await singleFile(dir, env);
  const name = await choose(dir, names.sort(), env['DOTNET_APP']);
  const config = await readRuntimeConfig(dir, name + ENDING, env);
  const parts = await readParts(dir, `${name}.deps.json`);
  demandThisMachine(parts?.rid, name);
  if (!(await isThere(join(dir, `${name}.dll`)))) {
    throw new BuildpackFailure(`${name}${ENDING} is there, but ${name}.dll is not`, {
      next: `Stage all of what was published (see .cfignore): ${PUBLISH}.`,
    });
  }
  if (parts !== undefined && parts.missing.length > 0) {
    const some = parts.missing.slice(0, 5).join(', ');
    const more = parts.missing.length > 5 ? ` and ${parts.missing.length - 5} more` : '';
    throw new BuildpackFailure(`${name}.deps.json has ${some}${more}, which the app lacks`, {
      next: `Stage what dotnet publish wrote, not dotnet build, and all of it (see .cfignore): ${PUBLISH}.`,
    });
  }
  const kind = await programKind(join(dir, name));
  const isSelfContained = config.frameworks.length === 0;
  if (isSelfContained) demandProgram(name, kind, config);
  const program = kind === process.arch ? name : undefined;
  return { name, program, config, parts, warnings: await warningsOf(dir, { config, parts, name, kind }) };
}

async function choose(dir: string, names: readonly string[], asked: string | undefined): Promise<string> {
  if (asked !== undefined && asked !== '') {
    const found = names.find((name) => [name, `${name}.dll`].includes(asked));
    if (found !== undefined) return found;
    throw new BuildpackFailure(`DOTNET_APP is ${asked}, and there is no ${asked}${ENDING}`, {
      next: `There are ${names.join(', ')}.`,
    });
  }
  const [only, second] = names;
  if (only !== undefined && second === undefined) return only;
  const startable: string[] = [];
  for (const name of names) if ((await programKind(join(dir, name))) === process.arch) startable.push(name);
  const [program, another] = startable;
  if (program !== undefined && another === undefined) return program;
  throw new BuildpackFailure(`there are several apps: ${names.join(', ')}`, {
    next: `Name the one to start in DOTNET_APP, for example DOTNET_APP=${only}.`,
  });
}

function demandThisMachine(rid: string | undefined, name: string): void {
  const here = `linux-${process.arch}`;
  if (rid === undefined || rid === here || rid === 'linux' || rid === 'unix') return;
  // debian.12-x64 and the like, of older SDKs.
  if (/^(debian|ubuntu)[.\d]*-/.test(rid) && rid.endsWith(`-${process.arch}`)) return;
  const why = rid.startsWith('linux-musl')
    ? ' (Alpine), and this stack has glibc'
    : `, and this stack is ${here}`;
  throw new BuildpackFailure(`${name} was published for ${rid}${why}`, {
    next: `Publish it again: ${PUBLISH.replace('linux-x64', here)}.`,
  });
}

function demandProgram(name: string, kind: ProgramKind, config: RuntimeConfig): void {
  if (kind === process.arch) return;
  const what = config.included.map((it) => `${it.name} ${it.version}`).join(', ');
  if (kind === 'none') {
    throw new BuildpackFailure(
      `${name} has its runtime inside (${what || 'self-contained'}), but its program ./${name} is missing`,
      {
        next: `Stage it as well (see .cfignore; UseAppHost may not be false): ${PUBLISH}.`,
      },
    );
  }
  throw new BuildpackFailure(`./${name} is a program for ${kind}; this stack is linux-${process.arch}`, {
    next: `Publish it again: ${PUBLISH.replace('linux-x64', `linux-${process.arch}`)}.`,
  });
}

/** Everything in one program; appsettings.json, web.config and symbols may lie beside it. */
async function singleFile(dir: string, env: Env): Promise<DotnetApp> {
  const asked = env['DOTNET_APP'] || undefined;
  const files = (await readdir(dir, { withFileTypes: true })).filter((entry) => entry.isFile());
  const candidates =
    asked === undefined
      ? files.map(({ name }) => name).filter((name) => !/\.(so|a|o)[.\d]*$/.test(name))
      : [asked];
  const programs: string[] = [];
  const others: string[] = [];
  for (const name of candidates) {
    const kind = await programKind(join(dir, name));
    if (kind === process.arch) programs.push(name);
    else if (kind !== 'none') others.push(`${name} is a program for ${kind}`);
  }
  const [only, second] = programs;
  if (only !== undefined && second === undefined) {
    const warnings = await warningsOf(dir, { config: undefined, parts: undefined, name: only, kind: 'none' });
    return { name: only, program: only, config: undefined, parts: undefined, warnings };
  }
  if (only !== undefined) {
    throw new BuildpackFailure(`there are several programs: ${programs.join(', ')}`, {
      next: 'Name the one to start in DOTNET_APP.',
    });
  }
  if (others[0] !== undefined) {
    throw new BuildpackFailure(`${others[0]}; this stack is linux-${process.arch}`, {
      next: `Publish it again: ${PUBLISH.replace('linux-x64', `linux-${process.arch}`)}.`,
    });
  }
  throw await sourcesOnly(dir);
}

/** There is no SDK for them. What was published before may lie further down. */
async function sourcesOnly(dir: string): Promise<BuildpackFailure> {
  const projects: string[] = [];
  for await (const file of glob('{*,*/*,*/*/*}.{cs,fs,vb}proj', { cwd: dir })) projects.push(file);
  for await (const file of glob(`**/publish/*${ENDING}`, { cwd: dir })) {
    const folder = file.slice(0, file.lastIndexOf('/'));
    return new BuildpackFailure(`there is no published .NET app at the top, but there is one in ${folder}`, {
      next: `Stage that folder: stager stage ${folder}.`,
    });
  }
  const [first] = projects.sort();
  if (first === undefined) {
    return new BuildpackFailure(`there is no *${ENDING} and no program: this is no published .NET app`, {
      next: `Stage the folder that this writes: ${PUBLISH}.`,
    });
  }
  const several = projects.length > 1 ? ` (of ${projects.join(', ')})` : '';
  return new BuildpackFailure(
    `there is ${first}${several}: sources, and there is no SDK of .NET here that builds them`,
    {
      next: `Publish them where there is an SDK, and stage the result: ${PUBLISH.replace('publish', `publish ${first}`)}, then stager stage out.`,
    },
  );
}

const settings = z.object({
  Kestrel: z
    .object({ Endpoints: z.record(z.string(), z.looseObject({ Url: z.string().optional() })) })
    .optional(),
});

async function warningsOf(
  dir: string,
  app: { config: RuntimeConfig | undefined; parts: Parts | undefined; name: string; kind: ProgramKind },
): Promise<string[]> {
  const found: string[] = [];
  if (await isThere(join(dir, `${app.name}.runtimeconfig.dev.json`))) {
    found.push(
      `${app.name}.runtimeconfig.dev.json is there: this seems to be the output of dotnet build. Stage that of dotnet publish.`,
    );
  }
  if (app.kind !== 'none' && app.kind !== process.arch) {
    found.push(
      `./${app.name} is a program for ${app.kind}, so the app is started with dotnet ${app.name}.dll.`,
    );
  }
  if (app.parts?.packages.includes('System.Drawing.Common') === true) {
    found.push(
      'System.Drawing.Common draws only on Windows since .NET 7, and needs libgdiplus before; use ImageSharp or SkiaSharp.',
    );
  }
  if (app.config?.properties['System.GC.Server'] === true) {
    found.push('System.GC.Server is on: a heap for each processor. DOTNET_gcServer=0 needs less memory.');
  }
  if (await isThere(join(dir, 'buildpack.yml'))) {
    found.push(
      'buildpack.yml is ignored: it chooses an SDK, and the one for the framework of the project is used.',
    );
  }
  for (const file of ['appsettings.json', 'appsettings.Production.json']) {
    // Comments are allowed there; those files are not looked into.
    const { data } = settings.safeParse(await readJson(dir, file).catch(() => undefined));
    const urls = Object.values(data?.Kestrel?.Endpoints ?? {}).flatMap(({ Url }) => Url ?? []);
    if (urls.length > 0) {
      found.push(
        `${file} has Kestrel:Endpoints (${urls.join(', ')}), which win over PORT: the router can't reach the app.`,
      );
    }
  }
  return found;
}
