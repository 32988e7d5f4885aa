/**
 * The bash script between the launcher and the app (buildpack-contracts.md 1.12). Each command stands on the line
 * on which the original has it, since bash prints the line number when it fails.
 */

const PROFILES = [
  { glob: '../profile.d/*', line: 8 },
  { glob: '.profile.d/*', line: 14 },
] as const;

/**
 * The script. Its `$1` is the app directory, `$2` the command; profile scripts see both, and the variable
 * `env_file`, as with the original. File names are expanded unquoted, so one with blanks is several.
 *
 * @param prefix `config.entrypoint_prefix`; empty for `bash -c`.
 * @param openFiles soft limit to put back first, where Node raised it.
 */
export function launchScript(prefix: string, openFiles: string | undefined): string {
  const lines = new Map<number, string>([
    [1, openFiles === undefined ? '' : `ulimit -Sn ${openFiles}`],
    [2, 'cd "$1"'],
    [4, "echo 'Invoking pre-start scripts.'"],
    ...PROFILES.map(({ glob, line }): [number, string] => [
      line,
      `[ -n "$(ls ${glob} 2> /dev/null)" ] && for env_file in ${glob}; do source $env_file; done`,
    ]),
    [19, '[ -f .profile ] && source .profile'],
    [22, 'shift'],
    [24, "echo 'Invoking start command.'"],
    [26, `exec ${prefix === '' ? 'bash -c' : prefix} "$@"`],
  ]);
  const last = Math.max(...lines.keys());
  return `${Array.from({ length: last }, (_, index) => lines.get(index + 1) ?? '').join('\n')}\n`;
}
