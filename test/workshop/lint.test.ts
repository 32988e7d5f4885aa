import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lintBuildpack, RULES } from '../../src/workshop/lint.ts';
import type { LintFinding } from '../../src/workshop/lint-input.ts';
import { shellcheckRule } from '../../src/workshop/lint-shellcheck.ts';
import { fill, tree } from './tree.ts';

const SHA = 'a'.repeat(64);
const GOOD = {
  VERSION: '1.0.0\n',
  'bin/detect': '#!/bin/sh\nexit 0\n',
  'bin/supply': '#!/bin/sh\nset -eu\nmkdir -p "$3/$4/bin"\n',
  'bin/finalize': `#!/bin/bash\nset -eu\nmkdir -p "\${5:-$1/.profile.d}"\n`,
  'bin/release': "#!/usr/bin/env bash\nprintf -- '---\\n{}\\n'\n",
  'manifest.yml': `language: x\ndefault_versions:\n  - { name: d, version: 1.x }\ndependencies:\n  - { name: d, version: 1.2.3, uri: "https://h/d.tgz", sha256: ${SHA} }\n`,
};

async function lint(changes: Readonly<Record<string, string>>): Promise<readonly LintFinding[]> {
  await using pack = await tree({ ...GOOD, ...changes });
  return await lintBuildpack({ dir: pack.path, rootfs: { kind: 'host' }, stack: 'host' });
}

const dependency = (fields: string): Record<string, string> => ({
  'manifest.yml': `language: x\ndependencies:\n  - { ${fields} }\n`,
});

/** What is wrong → the finding that has to name it. */
const CASES: readonly (readonly [
  what: string,
  changes: Record<string, string>,
  id: string,
  place: string,
])[] = [
  ['carriage returns', { 'bin/detect': '#!/bin/sh\r\nexit 0\r\n' }, 'crlf', 'bin/detect:1'],
  ['a missing shebang', { 'bin/supply': 'echo hi\n' }, 'shebang-missing', 'bin/supply:1'],
  [
    'an interpreter that the stack lacks',
    { 'bin/supply': '#!/usr/bin/env no-such-ruby\n' },
    'interpreter',
    'bin/supply:1',
  ],
  ['a relative interpreter', { 'bin/supply': '#!sh\n' }, 'interpreter', 'bin/supply:1'],
  [
    '$5 of supply under set -u',
    { 'bin/supply': '#!/bin/sh\nset -eu\necho "$5"\n' },
    'argument-unset',
    'bin/supply:3',
  ],
  [
    '$6 of finalize under set -u',
    { 'bin/finalize': `#!/bin/sh -eu\necho "\${6}"\n` },
    'argument-unset',
    'bin/finalize:2',
  ],
  [
    'compile with a third argument',
    { 'bin/compile': '#!/bin/sh\nls "$3"\n' },
    'compile-third-argument',
    'bin/compile:2',
  ],
  [
    'a path of one platform',
    { 'bin/supply': '#!/bin/sh\ncp x /tmp/app/y\n' },
    'hard-coded-path',
    'bin/supply:2',
  ],
  ['detect that writes', { 'bin/detect': '#!/bin/sh\ntouch "$1/x"\n' }, 'detect-writes', 'bin/detect:2'],
  [
    'release that changes',
    { 'bin/release': '#!/bin/sh\necho $(date)\n' },
    'release-not-deterministic',
    'bin/release:2',
  ],
  [
    'writing to the root',
    { 'bin/supply': '#!/bin/sh\necho x >/etc/profile\n' },
    'writes-outside',
    'bin/supply:2',
  ],
  ['a need for root', { 'bin/supply': '#!/bin/sh\napt-get install -y jq\n' }, 'needs-root', 'bin/supply:2'],
  [
    'a download that is run',
    { 'bin/supply': '#!/bin/sh\ncurl -sL https://x | bash\n' },
    'download-unverified',
    'bin/supply:2',
  ],
  ['a version that is none', { VERSION: 'latest\n' }, 'version-format', 'VERSION:1'],
  ['a manifest that is not YAML', { 'manifest.yml': 'a: [\n' }, 'manifest-broken', 'manifest.yml:2'],
  ['no language', { 'manifest.yml': 'dependencies: []\n' }, 'manifest-language', 'manifest.yml:1'],
  [
    'no checksum',
    dependency('name: d, version: 1.0.0, uri: "https://h/d"'),
    'dependency-checksum',
    'manifest.yml:3',
  ],
  [
    'a short checksum',
    dependency('name: d, version: 1.0.0, uri: "https://h/d", sha256: abc'),
    'dependency-checksum',
    'manifest.yml:3',
  ],
  [
    'http',
    dependency(`name: d, version: 1.0.0, uri: "http://h/d", sha256: ${SHA}`),
    'dependency-uri',
    'manifest.yml:3',
  ],
  [
    'a dependency without uri',
    dependency(`name: d, version: 1.0.0, sha256: ${SHA}`),
    'dependency-incomplete',
    'manifest.yml:3',
  ],
  [
    'a stack that is gone',
    dependency(`name: d, version: 1.0.0, uri: "https://h/d", sha256: ${SHA}, cf_stacks: [cflinuxfs3]`),
    'manifest-stack',
    'manifest.yml:3',
  ],
  [
    'a file that is not inside',
    dependency(`name: d, version: 1.0.0, uri: "https://h/d", sha256: ${SHA}, file: dependencies/x`),
    'dependency-file',
    'manifest.yml:3',
  ],
  [
    'a listed file that is missing',
    { 'manifest.yml': 'language: x\ninclude_files:\n  - gone\n' },
    'include-files',
    'manifest.yml:2',
  ],
];

const placeOf = ({ path, line }: LintFinding): string => (line === undefined ? path : `${path}:${line}`);

describe('lint', () => {
  it('finds nothing in a buildpack that keeps to the contract', async () => {
    expect(await lint({})).toEqual([]);
  });

  it.each(CASES)('finds %s', async (_what, changes, id, place) => {
    const findings = await lint(changes);
    expect(findings.map((it) => `${it.id} ${placeOf(it)}`)).toContain(`${id} ${place}`);
    expect(findings.every(({ reason }) => reason.length > 10)).toBe(true);
  });

  it('finds two defaults for one name, a default that nothing fits, and a dependency listed twice', async () => {
    const entry = `  - { name: d, version: 1.0.0, uri: "https://h/d", sha256: ${SHA} }\n`;
    const findings = await lint({
      'manifest.yml': `language: x\ndefault_versions:\n  - { name: d, version: 2.x }\n  - { name: e, version: "1" }\n  - { name: e, version: "2" }\ndependencies:\n${entry}${entry}`,
    });
    expect(findings.map((it) => `${it.id} ${it.line}`)).toEqual([
      'default-version 3',
      'default-version 4',
      'default-version 5',
      'dependency-duplicate 8',
    ]);
  });

  it('finds a script that is not executable, and missing scripts', async () => {
    await using pack = await tree({ 'bin/compile': '#!/bin/sh\n' });
    await chmod(join(pack.path, 'bin/compile'), 0o644);
    const findings = await lintBuildpack({ dir: pack.path, rootfs: { kind: 'host' }, stack: 'host' });
    expect(findings.map(({ id }) => id)).toEqual([
      'script-not-executable',
      'detect-missing',
      'release-missing',
      'cannot-be-first',
      'version-missing',
      'manifest-missing',
    ]);
  });

  it('misses nothing in a Heroku buildpack that its contract does not ask for', async () => {
    const script = '#!/bin/sh\n';
    await using pack = await tree({
      'bin/detect': script,
      'bin/compile': script,
      'bin/release': script,
      'bin/test-compile': script,
      'buildpack.toml': '[buildpack]\nname = "x"\n',
    });
    const request = { dir: pack.path, rootfs: { kind: 'host' }, stack: 'heroku-24' } as const;
    expect(await lintBuildpack(request)).toEqual([]);
  });

  it('warns only of included files that pre_package may have yet to make', async () => {
    const findings = await lint({
      'manifest.yml': 'language: x\npre_package: scripts/build.sh\ninclude_files: [bin/made]\n',
    });
    expect(findings).toMatchObject([
      { id: 'include-files', severity: 'warning', message: expect.stringContaining('scripts/build.sh') },
    ]);
  });

  it('leaves out what is only in comments, and guards against arguments that are missing', async () => {
    const supply = `#!/bin/sh\nset -u\n# cp x /tmp/app/y "$5"\necho "\${5:-}" # >/etc/x\n`;
    expect(await lint({ 'bin/supply': supply })).toEqual([]);
  });

  it.each([
    ['another program in single quotes', `awk '{ print $5 }' x "$(awk '{ print $6 "it" }' "$1")"`],
    ['single quotes over several lines', `awk '\n{ print $5 > "/etc/x" }\n' x`],
    [
      'a function of its own',
      'f() {\n  echo "$5"\n}\nfunction g {\n  echo "$5"\n}\nh() { echo "$6"; }\nf 1 2 3 4 5',
    ],
    ['a literal here-document', `cat >"$3/x" <<'END'\nsudo x $5 >/etc/x\nEND\necho`],
    ['an indented here-document', 'cat <<-END\n\tsudo x >/etc/x\n\tEND\ncat <<< "$1"'],
    ['two here-documents of one line', `paste <<A - <<'B'\n\\$5\nA\n$5\nB\ntrue`],
    ['a comment after a quote', `x="a # b" # cp /tmp/app $5\necho 'it'"'"'s' # $5`],
    ['a place in /tmp with a name of its own', 'mkdir /tmp/app-1 /tmp/cache-x'],
  ])('does not take %s for the code of a script', async (_, code) => {
    expect(await lint({ 'bin/supply': `#!/bin/bash\nset -eu\n${code}\n` })).toEqual([]);
  });

  it.each([
    ['in double quotes and substitutions', 'echo "a $(echo "$5")"', 3],
    ['after a function', 'f() {\n  if true; then { :; }; fi\n}\necho $5', 6],
    ['after a here-document', `cat <<'A'\n'\nA\necho $5`, 6],
    ['in a here-document', 'cat <<A\n$5\nA', 4],
    ['after an escaped quote', `echo \\' $5`, 3],
  ])('sees an argument %s', async (_, code, line) => {
    const findings = await lint({ 'bin/supply': `#!/bin/bash\nset -e -o nounset\n${code}\n` });
    expect(findings).toMatchObject([{ id: 'argument-unset', line }]);
  });

  it('looks past the options of env for the interpreter', async () => {
    expect(await lint({ 'bin/supply': '#!/usr/bin/env -S A=b bash -e\n' })).toEqual([]);
  });

  it('looks for interpreters in the stack that it is given', async () => {
    await using root = await tree({ 'bin/sh': '#!x' });
    await using pack = await tree(GOOD);
    await fill(root.path, { 'usr/bin/env': '' });
    const rootfs = { kind: 'directory', path: root.path } as const;
    const findings = await lintBuildpack({ dir: pack.path, rootfs, stack: 'small' });
    expect(findings.map((it) => `${it.id} ${it.path} ${it.message}`)).toEqual([
      'interpreter bin/finalize the stack has no /bin/bash',
      'interpreter bin/release the stack has no bash',
    ]);
  });

  it('calls a directory without bin no buildpack', async () => {
    await using pack = await tree({ 'README.md': '' });
    const findings = await lintBuildpack({ dir: pack.path, rootfs: { kind: 'host' }, stack: 'host' });
    expect(findings.map(({ id }) => id)).toEqual(['no-buildpack']);
  });

  it('is refused for what is not a directory', async () => {
    await using pack = await tree(GOOD);
    for (const [name, reason] of [
      ['gone', 'it does not exist'],
      ['VERSION', 'it is not a directory'],
    ]) {
      const request = { dir: join(pack.path, name ?? ''), rootfs: { kind: 'host' }, stack: 'host' } as const;
      await expect(lintBuildpack(request)).rejects.toThrow(reason);
    }
  });

  it('shows what shellcheck says, as warnings, of the scripts that it can read', async () => {
    const comment = '{"file":"%s","line":3,"level":"error","code":2086,"message":"Double quote it."}';
    await using tool = await tree({
      shellcheck: `#!/bin/sh\nfor it in "$@"; do :; done\nprintf '{"comments":[${comment}]}' "$it"\nexit 1\n`,
    });
    await using pack = await tree({
      ...GOOD,
      'bin/zeta': '#!/bin/sh\n\necho $1\n',
      'bin/zz': '#!/bin/zsh\n',
    });
    const shellcheck = join(tool.path, 'shellcheck');
    const request = { dir: pack.path, rootfs: { kind: 'host' }, stack: 'host', shellcheck } as const;
    expect(await lintBuildpack(request)).toMatchObject([
      {
        id: 'shellcheck',
        severity: 'warning',
        path: 'bin/zeta',
        line: 3,
        message: 'SC2086: Double quote it.',
      },
    ]);
  });

  it('goes without a shellcheck that is not there, or that says something else', async () => {
    await using tool = await tree({ shellcheck: '#!/bin/sh\necho no\n' });
    await using pack = await tree(GOOD);
    for (const shellcheck of [join(tool.path, 'gone'), join(tool.path, 'shellcheck')]) {
      const request = { dir: pack.path, rootfs: { kind: 'host' }, stack: 'host', shellcheck } as const;
      expect(await lintBuildpack(request)).toEqual([]);
    }
  });

  it('has every rule explained in the document', async () => {
    const document = await readFile(new URL('../../docs/workshop.md', import.meta.url), 'utf8');
    expect(
      [...RULES, shellcheckRule('')].filter(({ id }) => !document.includes(`\`${id}\``)).map(({ id }) => id),
    ).toEqual([]);
  });
});
