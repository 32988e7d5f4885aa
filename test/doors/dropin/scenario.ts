/** A scenario of the side-by-side comparison, and the pieces that many of them share. */
import type { Servers } from './servers.ts';
import type { Scripts, World } from './world.ts';

/** One run of a program over a laid-out world. */
export interface Scenario {
  readonly name: string;
  readonly program: 'builder' | 'launcher';
  lay(world: World, servers: Servers): void;
  args(world: World, servers: Servers): readonly string[];
  env?(world: World, servers: Servers): Readonly<Record<string, string>>;
  /** Directory to start in, below the root; `home` by default. */
  readonly cwd?: string;
  /** Sent when the program has printed `ready`. */
  readonly signal?: NodeJS.Signals;
  /** What a shell does in the directory before it becomes the program. */
  readonly shell?: string;
  /** Started as `nohup` starts a program, and SIGINT ignored as well. */
  readonly ignoresSignals?: boolean;
  /** Text for stdin; the null device when absent. */
  readonly input?: string;
}

/** What scripts print and write so that their arguments and surroundings can be compared. */
const SAY = 'echo "$(basename "$0") $# $*"; echo "err $(basename "$0")" >&2';

/** A buildpack that supplies and finalizes, leaving a trace of everything. */
export const full: Scripts = {
  detect: `${SAY}; exit 0`,
  supply: `${SAY}; echo "supply $4" > "$3/$4/supplied"; echo cached > "$2/from-supply"; ls -d "$3"/*`,
  finalize: `${SAY}; echo "export FROM=$4" > "$5/finalized.sh"; echo done > "$1/finalized"; echo c >> "$2/final-cache"`,
  release: 'echo "default_process_types:"; echo "  web: run web"',
};

/** A buildpack of the old family. */
export const compiler: Scripts = {
  detect: 'echo compiler',
  compile: `${SAY}; echo "$#" > "$1/compiled"; echo cache > "$2/compiled"`,
  release: 'echo "default_process_types: {web: run compiled}"',
};

/** Only supplies. */
export const supplier: Scripts = {
  supply: `${SAY}; echo "$4" > "$3/$4/supplied"; echo x > "$2/supplied"`,
};

/** The flags that put everything into the world. */
export function builderArgs(world: World, order: string, ...more: readonly string[]): readonly string[] {
  return [
    `-buildDir=${world.path('app')}`,
    `-buildpacksDir=${world.path('buildpacks')}`,
    `-buildpacksDownloadDir=${world.path('downloads')}`,
    `-buildArtifactsCacheDir=${world.path('cache')}`,
    `-outputDroplet=${world.path('out/droplet')}`,
    `-outputMetadata=${world.path('out/result.json')}`,
    `-outputBuildArtifactsCache=${world.path('out/cache.tgz')}`,
    `-buildpackOrder=${order}`,
    ...more,
  ];
}

/** A builder scenario over buildpacks by key. */
export function build(
  name: string,
  buildpacks: Readonly<Record<string, Scripts>>,
  options: {
    readonly detect?: boolean;
    readonly order?: string;
    readonly flags?: readonly string[];
    readonly lay?: (world: World, servers: Servers) => void;
    readonly env?: (world: World, servers: Servers) => Readonly<Record<string, string>>;
  } = {},
): Scenario {
  const order = options.order ?? Object.keys(buildpacks).join(',');
  return {
    name,
    program: 'builder',
    lay(world, servers) {
      world.file('app/index.txt', 'an app\n');
      for (const [key, scripts] of Object.entries(buildpacks)) world.buildpack(key, scripts);
      options.lay?.(world, servers);
    },
    args: (world) =>
      builderArgs(
        world,
        order,
        ...(options.detect === true ? [] : ['-skipDetect']),
        ...(options.flags ?? []),
      ),
    ...(options.env !== undefined && { env: options.env }),
  };
}

/** A launcher scenario; the command is the app's. */
export function launch(
  name: string,
  command: string,
  options: Partial<Pick<Scenario, 'env' | 'signal' | 'cwd' | 'input' | 'ignoresSignals' | 'shell'>> & {
    readonly lay?: (world: World, servers: Servers) => void;
    readonly args?: (world: World) => readonly string[];
  } = {},
): Scenario {
  const { lay, args, ...rest } = options;
  return {
    ...rest,
    name,
    program: 'launcher',
    lay: (world, servers) => lay?.(world, servers),
    args: args ?? (() => ['../app', command, '']),
  };
}
