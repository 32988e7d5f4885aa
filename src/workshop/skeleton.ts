/**
 * The files of a new buildpack. What it does is small but whole: an app with `<name>.txt` gets a program that prints
 * the file, which shows every part of the contract once.
 */

/** One file of the skeleton. */
export interface SkeletonFile {
  readonly path: string;
  readonly text: string;
  readonly executable?: boolean;
}

/** Names that the texts are made with. */
export interface SkeletonNames {
  /** `my-buildpack` gives `my`. */
  readonly language: string;
  /** Prefix of variables: `MY`. */
  readonly variable: string;
}

const DETECT = `#!/bin/sh
# BUILD_DIR: exit 0 when the app is ours. What is printed is the name that people see.
set -eu
[ -f "$1/LANGUAGE.txt" ] || exit 1
echo "LANGUAGE $(cat "$(dirname "$0")/../VERSION")"
`;

const RELEASE = `#!/bin/sh
# BUILD_DIR: start commands, as YAML. A Procfile of the app wins over them.
cat <<'END'
---
default_process_types:
  web: LANGUAGE-hello
END
`;

const MANIFEST = `# What can be installed, and what belongs in the package.
language: LANGUAGE
default_versions: []
dependencies: []
include_files:
`;

const README = `# LANGUAGE buildpack

For Cloud Foundry and stager. An app with a LANGUAGE.txt gets a program LANGUAGE-hello that prints it.

    stager buildpack test .       run it over the apps in test/fixtures
    stager buildpack lint .       check it against the contract
    stager stage my-app -b .      stage an app with it
    stager buildpack package .    make a zip of it

`;

/** What is different between the kinds. */
export interface SkeletonParts {
  /** What belongs into the package beside README.md. */
  readonly included: readonly string[];
  /** The end of README.md. */
  readonly readme: string;
}

/** Files that both kinds have. */
export function commonFiles(
  names: SkeletonNames,
  { included, readme }: SkeletonParts,
): readonly SkeletonFile[] {
  const includes = ['README.md', ...included].sort().map((part) => `  - ${part}\n`);
  return [
    { path: 'VERSION', text: '0.1.0\n' },
    { path: 'README.md', text: named(README + readme, names) },
    { path: 'manifest.yml', text: named(MANIFEST, names) + includes.join('') },
    { path: 'bin/detect', text: named(DETECT, names), executable: true },
    { path: 'bin/release', text: named(RELEASE, names), executable: true },
    { path: 'test/fixtures/greets/LANGUAGE.txt', text: 'Hello from the fixture\n' },
    { path: 'test/fixtures/greets.expect.yml', text: named(EXPECT_GREETS, names) },
    { path: 'test/fixtures/other/README.md', text: 'An app of another kind.\n' },
    { path: 'test/fixtures/other.expect.yml', text: 'detect: false\n' },
  ].map((file) => ({ ...file, path: named(file.path, names) }));
}

const EXPECT_GREETS = `# What the buildpack has to leave for the app in greets/. Try it with: stager buildpack test .
# Take over what it leaves now with: stager buildpack test . --update
detect: LANGUAGE 0.1.0
exit:
  supply: 0
  finalize: 0
  release: 0
files:
  present:
    - deps/0/bin/LANGUAGE-hello
    - deps/0/config.yml
    - deps/0/env/VARIABLE_HOME
    - profile.d/0_LANGUAGE.sh
  absent:
    - app/.profile.d
launch_env:
  PATH:
    contains: /home/vcap/deps/0/bin
  VARIABLE_HOME: /home/vcap/deps/0
processes:
  web: LANGUAGE-hello
log:
  - Writing the greeting
again:
  log:
    - Using the greeting of the last staging
`;

/** A text of the skeleton with its names in it. */
export function named(text: string, { language, variable }: SkeletonNames): string {
  return text.replaceAll('LANGUAGE', language).replaceAll('VARIABLE', variable);
}
