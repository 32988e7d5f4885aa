/**
 * The bash script between the launcher and the app (buildpack-contracts.md 1.12). Each command stands on the line
 * on which the original has it, since bash prints the line number when it fails.
 */
import type { DropinCaller } from './caller.ts';

const PROFILES = [
  { glob: '../profile.d/*', line: 8 },
  { glob: '.profile.d/*', line: 14 },
] as const;

/**
 * The script. Its `$1` is the app directory, `$2` the command; profile scripts see both, and the variable
 * `env_file`, as with the original. File names are expanded unquoted, so one with blanks is several.
 *
 * @param prefix `config.entrypoint_prefix`; empty for `bash -c`.
 * @param caller what to put back first, since Node changed it.
 */
export function dropinLaunchScript(
  prefix: string,
  caller: Pick<DropinCaller, 'openFiles' | 'ignored'>,
): string {
  const { openFiles, ignored } = caller;
  const restored = [
    ...(openFiles === undefined ? [] : [`ulimit -Sn ${openFiles}`]),
    ...(ignored.length === 0 ? [] : [`trap '' ${ignored.join(' ')}`]),
  ];
  const lines = new Map<number, string>([
    [1, restored.join('; ')],
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
