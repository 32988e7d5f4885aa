import type { OptionTable } from '../../kit/index.ts';

/** Of Cloud Foundry's, Heroku's and Paketo's buildpacks. */
export const OPTIONS_OF_OTHERS = {
  works: {
    GOVERSION: 'honoured',
    GO_INSTALL_PACKAGE_SPEC: 'honoured',
    GO_LINKER_SYMBOL: 'honoured',
    GO_LINKER_VALUE: 'honoured',
    GOPACKAGENAME: 'honoured without go.mod, where it is not needed',
    GO_INSTALL_TOOLS_IN_IMAGE: 'honoured',
    'buildpack.yml': 'honoured: go.ldflags',
    GOFLAGS: 'honoured',
  },
  ignored: {
    BP_GO_VERSION: 'GOVERSION, or the go and toolchain lines of go.mod say it',
    BP_GO_TARGETS: 'GO_INSTALL_PACKAGE_SPEC names packages',
    BP_GO_BUILD_FLAGS: 'flags belong in GOFLAGS',
    BP_GO_BUILD_LDFLAGS: 'GO_LINKER_SYMBOL and GO_LINKER_VALUE, or ldflags in buildpack.yml set symbols',
    BP_GO_BUILD_IMPORT_PATH: 'go.mod says it',
    BP_KEEP_FILES: 'sources stay unless GO_REMOVE_SOURCES is true',
  },
} as const satisfies OptionTable;
