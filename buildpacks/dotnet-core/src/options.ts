import type { OptionTable } from '../../kit/index.ts';

/** Of Cloud Foundry's and Paketo's buildpacks, which build from source. */
export const OPTIONS_OF_OTHERS = {
  works: {
    ASPNETCORE_URLS: 'honoured',
    DOTNET_ROLL_FORWARD: 'honoured',
    'global.json': 'replaced: runtimeconfig.json says what a published app needs',
    '.deployment': 'replaced: DOTNET_APP chooses among several published apps',
  },
  ignored: {
    PUBLISH_RELEASE_CONFIG: 'nothing is built here',
    INSTALL_NODE: 'nothing is built here; the nodejs buildpack before this one brings Node',
    BP_DOTNET_PROJECT_PATH: 'nothing is built here; DOTNET_APP chooses among several published apps',
    BP_DOTNET_PUBLISH_FLAGS: 'nothing is built here',
    BP_DOTNET_FRAMEWORK_VERSION: 'the app says which framework it wants in its runtimeconfig.json',
    BP_OPENSSL_ACTIVATE_LEGACY_PROVIDER: 'OpenSSL is configured as the stack has it',
  },
} as const satisfies OptionTable;
