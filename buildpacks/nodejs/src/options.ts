import type { OptionTable } from '../../kit/index.ts';

/** Of Cloud Foundry's, Heroku's and Paketo's buildpacks. */
export const OPTIONS_OF_OTHERS = {
  works: {
    NPM_CONFIG_PRODUCTION: 'honoured',
    OPTIMIZE_MEMORY: 'honoured',
    WEB_MEMORY: 'honoured',
    NODE_ENV: 'honoured',
    '.nvmrc': 'honoured',
    NODE_MODULES_CACHE: 'honoured',
  },
  ignored: {
    NODE_VERBOSE: 'package managers say in the log what they install',
    BP_NODE_VERSION: 'write the version into engines.node of package.json',
    BP_NODE_PROJECT_PATH: 'stage that folder, or use workspaces',
    BP_NODE_RUN_SCRIPTS: 'heroku-prebuild, heroku-postbuild and build are run',
    BP_KEEP_FILES: 'all files of the app stay',
    BP_LAUNCHPOINT: 'write it into scripts.start or a Procfile',
    BP_NPM_VERSION: 'write the version into engines.npm or packageManager',
    USE_NPM_INSTALL: 'with a lock file, npm ci installs',
    USE_YARN_CACHE: 'NODE_CACHE_LIMIT_MB bounds the cache',
  },
} as const satisfies OptionTable;
