/** The environment of a drop-in program's caller. */
import { readFileSync } from 'node:fs';

/**
 * The environment that `bin/dropin` hands over as base64 on the descriptor `channel`, or our own where there is
 * none. A shell can't hand it on: dash drops names such as `server.port`, which apps do set, and adds PWD.
 */
export function callerEnvironment(channel: string): Readonly<Record<string, string>> {
  const handed = /^\d+$/.test(channel) ? readFileSync(Number(channel), 'latin1').trim() : '';
  if (handed === '') {
    return Object.fromEntries(Object.entries(process.env).map(([name, value]) => [name, value ?? '']));
  }
  const environment: Record<string, string> = Object.create(null);
  for (const entry of Buffer.from(handed, 'base64').toString('utf8').split('\0')) {
    const equals = entry.indexOf('=', 1);
    // Of a doubled variable the first counts, as Go has it.
    if (equals > 0) environment[entry.slice(0, equals)] ??= entry.slice(equals + 1);
  }
  return environment;
}
