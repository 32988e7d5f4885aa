/** The command lines of each package manager: the only place that knows their flags. */
import { type Argv, isOffline } from '../../kit/index.ts';
import type { Manager } from './manager.ts';

/** What the install is to do. */
export interface InstallPlan {
  readonly manager: Manager;
  /** Whether devDependencies are wanted. */
  readonly dev: boolean;
  /** CACHE_DIR of the staging. */
  readonly cacheDir: string;
  /** A folder of tarballs that the app carries (Yarn 1's offline mirror). */
  readonly offlineMirror: string | undefined;
}

/** Installs what the lock file says; without one, what package.json allows today. */
export function installCommand(plan: InstallPlan): Argv {
  const { manager, dev } = plan;
  const locked = manager.lock !== undefined;
  switch (manager.name) {
    case 'npm':
      return [
        'npm',
        locked ? 'ci' : 'install',
        dev ? '--include=dev' : '--omit=dev',
        ...(locked ? [] : ['--no-save']),
      ];
    case 'yarn': {
      const offline = plan.offlineMirror !== undefined || isOffline() ? ['--offline'] : [];
      const frozen = locked ? ['--frozen-lockfile'] : ['--no-lockfile'];
      // As Cloud Foundry's and Heroku's buildpacks: versions were chosen before, and a package that names an older Node runs.
      const given = ['--non-interactive', '--ignore-engines', `--production=${!dev}`];
      return ['yarn', 'install', ...given, ...frozen, ...offline];
    }
    case 'berry':
      return ['yarn', 'install', ...(locked ? ['--immutable'] : ['--no-immutable'])];
    case 'pnpm': {
      const frozen = locked ? ['--frozen-lockfile'] : ['--no-frozen-lockfile'];
      return [
        'pnpm',
        'install',
        ...(dev ? ['--prod=false'] : ['--prod']),
        ...frozen,
        pnpmStore(plan),
        ...['--package-import-method', 'clone-or-copy'],
        ...(isOffline() ? ['--offline'] : []),
      ];
    }
  }
}

/** Adds what a node_modules of the app lacks. npm ci would remove what is there. */
export function completeCommand(plan: InstallPlan): Argv {
  if (plan.manager.name !== 'npm') return installCommand(plan);
  return ['npm', 'install', plan.dev ? '--include=dev' : '--omit=dev', '--no-save'];
}

/** Takes devDependencies out again after the build. */
export function pruneCommand(plan: InstallPlan): Argv {
  switch (plan.manager.name) {
    case 'npm':
      return ['npm', 'prune', '--omit=dev', '--ignore-scripts'];
    case 'yarn':
      return [...installCommand({ ...plan, dev: false }), '--ignore-scripts', '--prefer-offline'];
    case 'berry':
      return ['yarn', 'workspaces', 'focus', '--all', '--production'];
    case 'pnpm':
      return ['pnpm', 'prune', '--prod', '--ignore-scripts', pnpmStore(plan)];
  }
}

/** With another store pnpm would take node_modules for somebody else's, and fetch all of it again. */
const pnpmStore = ({ cacheDir }: InstallPlan): string => `--config.store-dir=${cacheDir}/pnpm`;

/** Compiles native modules again that the app carries. */
export function rebuildCommand(manager: Manager): Argv {
  return manager.name === 'pnpm' ? ['pnpm', 'rebuild'] : ['npm', 'rebuild'];
}

/** Scripts of package.json that are run; their presence means that build-time dependencies are needed. */
export const BUILD_SCRIPTS = ['heroku-prebuild', 'build', 'heroku-postbuild', 'prepare'];

/** Runs a script of package.json. */
export function scriptCommand(manager: Manager, script: string): Argv {
  return [manager.name === 'berry' ? 'yarn' : manager.name, 'run', script];
}

/** Variables for the manager: quiet, its cache in CACHE_DIR, headers of the installed Node. */
export function managerEnv(plan: InstallPlan, nodeHome: string): Record<string, string> {
  const { cacheDir } = plan;
  const common = {
    CI: 'true',
    npm_config_cache: `${cacheDir}/npm`,
    // For node-gyp: headers from here, not from the network. npm 11 warns about npm_config_nodedir.
    npm_package_config_node_gyp_nodedir: nodeHome,
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_update_notifier: 'false',
    // They lie in the cache, which would never be the same twice.
    npm_config_logs_max: '0',
  };
  if (plan.manager.name === 'yarn') {
    const mirror = plan.offlineMirror === undefined ? {} : { YARN_YARN_OFFLINE_MIRROR: plan.offlineMirror };
    return { ...common, YARN_CACHE_FOLDER: `${cacheDir}/yarn`, ...mirror };
  }
  if (plan.manager.name === 'berry') {
    return { ...common, YARN_GLOBAL_FOLDER: `${cacheDir}/berry`, YARN_ENABLE_TELEMETRY: '0' };
  }
  return common;
}

/** Folders below CACHE_DIR that managers keep, by manager. */
export const CACHE_FOLDERS = { npm: 'npm', yarn: 'yarn', berry: 'berry', pnpm: 'pnpm' } as const;
