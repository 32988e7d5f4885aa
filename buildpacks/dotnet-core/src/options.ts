import type { OptionTable } from '../../kit/index.ts';

/** Of Cloud Foundry's and Paketo's buildpacks, which build from source. */
export const OPTIONS_OF_OTHERS = {
  works: {
    ASPNETCORE_URLS: 'honoured',
    DOTNET_ROLL_FORWARD: 'honoured',
    'global.json': 'honoured by the SDK, of which there is one for each line',
    BP_DOTNET_PROJECT_PATH: 'honoured',
    '.deployment': 'honoured: project of [config]',
    PUBLISH_RELEASE_CONFIG: 'replaced: Release is built unless BUILD_CONFIGURATION says otherwise',
  },
  ignored: {
    INSTALL_NODE: 'the nodejs buildpack before this one brings Node',
    BP_DOTNET_PUBLISH_FLAGS: 'properties belong in the project or Directory.Build.props',
    BP_DOTNET_FRAMEWORK_VERSION: 'the app says which framework it wants in its runtimeconfig.json',
    BP_OPENSSL_ACTIVATE_LEGACY_PROVIDER: 'OpenSSL is configured as the stack has it',
  },
} as const satisfies OptionTable;
