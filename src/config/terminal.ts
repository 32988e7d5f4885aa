/** What the environment says about colour. */

/** True when NO_COLOR is present and not empty (https://no-color.org), or the terminal is dumb. */
export function noColorWanted(env: Readonly<Record<string, string | undefined>> = process.env): boolean {
  return (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb';
}

/** The kind of the caller's terminal, for a command that is given one. */
export function terminalKind(env: Readonly<Record<string, string | undefined>> = process.env): string {
  return env['TERM'] ?? 'dumb';
}
