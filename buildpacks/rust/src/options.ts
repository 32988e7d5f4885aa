import type { OptionTable } from '../../kit/index.ts';

/** Of Cloud Foundry's, Heroku's and Paketo's buildpacks. */
export const OPTIONS_OF_OTHERS = {
  works: {
    BUILD_PATH: 'honoured',
    RUST_CARGO_BUILD_FLAGS: 'honoured',
    BP_CARGO_WORKSPACE_MEMBERS: 'honoured',
    BP_RUST_VERSION: 'honoured',
    'rust-toolchain': 'honoured',
    'rust-toolchain.toml': 'honoured',
    RustConfig: 'honoured',
  },
  ignored: {
    BP_CARGO_INSTALL_ARGS: 'flags for cargo build belong in RUST_CARGO_BUILD_FLAGS',
    BP_CARGO_INSTALL_TOOLS: 'no more tools are installed',
    BP_CARGO_TINI_DISABLED: 'programs are started as they are',
    BP_STATIC_BINARY_TYPE: 'programs use the C library of the stack',
    BP_INCLUDE_FILES: 'files that are no sources stay; RUST_KEEP_SOURCES=true keeps those too',
    RUST_INSTALL_DIESEL:
      'diesel_cli is not installed; the crate diesel_migrations runs migrations without it',
    RUST_SKIP_BUILD: 'for a toolchain only, name another buildpack after this one',
  },
} as const satisfies OptionTable;
