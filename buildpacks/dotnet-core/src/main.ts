/** The dotnet-core buildpack: supply brings what a published app lacks, finalize says how it starts. */
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import {
  demandLibc,
  installOnce,
  isThere,
  runHook,
  runSteps,
  type StepContext,
  tellOptions,
} from '../../kit/index.ts';
import { type DotnetApp, readDotnetApp } from './app.ts';
import { buildSources } from './build.ts';
import { installNative } from './native.ts';
import { OPTIONS_OF_OTHERS } from './options.ts';
import { chooseRuntime, installRuntime, tellEnd } from './runtime.ts';

async function supply(context: StepContext): Promise<void> {
  const { buildDir, dep, env, log } = context;
  await runHook('pre_compile', context);
  await buildSources(context);
  const app = await readDotnetApp(buildDir, env);
  await tellOptions(context, OPTIONS_OF_OTHERS);
  for (const warning of app.warnings) log.warning(warning);
  const frameworks = app.config?.frameworks ?? [];
  if (app.config === undefined) log.step(`${app.name} is a single file with its runtime inside`);
  else if (frameworks.length === 0) {
    log.step(`${app.name} has its runtime inside`);
    for (const { name, version } of app.config.included) {
      log.info(`${name} ${version}`);
      if (name === 'Microsoft.NETCore.App') tellEnd(context, version);
    }
  } else {
    log.step('Installing .NET');
    const runtime = await chooseRuntime(context, frameworks);
    await installOnce(context, { name: '.NET', facts: [runtime.uri, runtime.checksum] }, () =>
      installRuntime(context, runtime),
    );
  }
  if (app.program !== undefined) {
    await chmod(join(buildDir, app.program), 0o755);
    const coreClr = join(buildDir, 'libcoreclr.so');
    const programs = [join(buildDir, app.program), ...((await isThere(coreClr)) ? [coreClr] : [])];
    await demandLibc(`./${app.program}`, programs);
  }
  await installNative(context, app);
  const path = `${dep.at('bin')}:${env['PATH'] ?? ''}`;
  await runHook('post_compile', { ...context, env: { ...env, PATH: path } });
  await dep.writeProfile('dotnet.sh', profile(context, app));
}

async function finalize({ buildDir, dep, env, log }: StepContext): Promise<void> {
  const app = await readDotnetApp(buildDir, env);
  const command =
    app.program === undefined ? `dotnet ${quoted(`./${app.name}.dll`)}` : quoted(`./${app.program}`);
  log.info(`Start command: ${command}`);
  await dep.writeLaunch([{ type: 'web', command }]);
}

function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

/** Every value that the app sets itself wins. */
function profile({ dep }: StepContext, app: DotnetApp): string {
  const shared = (app.config?.frameworks.length ?? 0) > 0;
  const root = shared ? `export DOTNET_ROOT="${dep.atRunTime('dotnet')}"\n` : '';
  const limited = Object.keys(app.config?.properties ?? {}).some((name) =>
    /^System\.GC\.HeapHardLimit/.test(name),
  );
  return `${root}export DOTNET_RUNNING_IN_CONTAINER="\${DOTNET_RUNNING_IN_CONTAINER:-true}"
export DOTNET_NOLOGO="\${DOTNET_NOLOGO:-true}"
export DOTNET_CLI_TELEMETRY_OPTOUT="\${DOTNET_CLI_TELEMETRY_OPTOUT:-true}"
if [ -n "\${PORT:-}" ] && [ -z "\${ASPNETCORE_URLS:-}\${ASPNETCORE_HTTP_PORTS:-}\${ASPNETCORE_HTTPS_PORTS:-}" ]; then
  export ASPNETCORE_URLS="http://0.0.0.0:$PORT"
fi
${PAGES}${limited ? '' : HEAP}`;
}

/**
 * To have no memory that can be both written and run, .NET maps a file in memory of 2 GB or more twice: where files have
 * a limit of size, that ends the app without a word.
 */
const PAGES = `if [ "$(ulimit -f)" != unlimited ]; then
  export DOTNET_EnableWriteXorExecute="\${DOTNET_EnableWriteXorExecute:-0}"
fi
`;

/** .NET reads the limit of the container by itself where there is one; MEMORY_LIMIT says it everywhere. */
const HEAP = `if [ -z "\${DOTNET_GCHeapHardLimit:-}\${DOTNET_GCHeapHardLimitPercent:-}" ]; then
  case "\${MEMORY_LIMIT:-}" in
    *[0-9][mM]) memory_mb=\${MEMORY_LIMIT%[mM]} ;;
    *[0-9][gG]) memory_mb=$((\${MEMORY_LIMIT%[gG]} * 1024)) ;;
    *) memory_mb= ;;
  esac
  if [ -n "$memory_mb" ]; then
    export DOTNET_GCHeapHardLimit=$(printf '0x%x' "$((memory_mb * 1024 * 1024 / 4 * 3))")
  fi
  unset memory_mb
fi
`;

void runSteps({ supply, finalize });
