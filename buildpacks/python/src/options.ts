import type { OptionTable } from '../../kit/index.ts';

/** Of Cloud Foundry's, Heroku's and Paketo's buildpacks. */
export const OPTIONS_OF_OTHERS = {
  works: {
    'runtime.txt': 'honoured',
    PIP_INDEX_URL: 'honoured',
    PIP_EXTRA_INDEX_URL: 'honoured',
    DISABLE_COLLECTSTATIC: 'honoured; 0 does not disable',
    '.python-version': 'honoured',
  },
  ignored: {
    BP_PIP_VERSION: 'uv installs, whatever the version of pip',
    BP_CPYTHON_VERSION: 'write the version into .python-version',
    BP_PIP_REQUIREMENT: 'requirements.txt at the top is read; it may name others with -r',
    BP_PIP_DEST_PATH: 'vendored packages are looked for in vendor/',
    BP_PIP_FIND_LINKS: 'vendored packages are looked for in vendor/',
    BP_POETRY_VERSION: 'poetry.lock is read without Poetry',
    BP_PIPENV_VERSION: 'Pipfile.lock is read without Pipenv',
    BP_CONDA_SOLVER: 'conda is not supported',
    DEBUG_COLLECTSTATIC: 'all output of collectstatic is in the log',
  },
} as const satisfies OptionTable;
