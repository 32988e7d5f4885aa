/**
 * What shellcheck says of the scripts, where it is installed. It knows the language; the other rules know the contract.
 * Its findings are warnings: whether lint fails must not depend on what a machine has installed.
 */
import { join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import { parseJson } from '../words/json.ts';
import { type BareFinding, isShell, type LintInput, type LintScript, type Rule } from './lint-input.ts';

/** Milliseconds; of scripts that take it longer nothing is said. */
const TIMEOUT_MS = 60_000;

const report = z.object({
  comments: z.array(z.object({ file: z.string(), line: z.int(), code: z.int(), message: z.string() })),
});

/** The rule over `program`: a path, or a name that is looked for on the PATH. Without it nothing is found. */
export function shellcheckRule(program: string): Rule {
  return {
    id: 'shellcheck',
    severity: 'warning',
    reason:
      'shellcheck says so; https://www.shellcheck.net/wiki/ has a page for each number (the shell’s language)',
    find: (input) => findings(program, input),
  };
}

async function findings(program: string, { root, scripts }: LintInput): Promise<readonly BareFinding[]> {
  const paths = new Map(
    [...scripts.values()].filter(canBeRead).map(({ name }) => [join(root, 'bin', name), `bin/${name}`]),
  );
  if (paths.size === 0) return [];
  const args = ['--format=json1', '--severity=warning', '--', ...paths.keys()];
  const { stdout } = await execa(program, args, { stdin: 'ignore', reject: false, timeout: TIMEOUT_MS });
  const said = report.safeParse(parseJson(stdout ?? ''));
  if (!said.success) return [];
  return said.data.comments.flatMap(({ file, line, code, message }) => {
    const path = paths.get(file);
    return path === undefined ? [] : [{ path, line, message: `SC${code}: ${message}` }];
  });
}

/** It does not know every shell. */
function canBeRead(script: LintScript): boolean {
  return isShell(script) && !/\bzsh\b/.test(script.shebang ?? '');
}
