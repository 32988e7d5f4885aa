/** Checks a buildpack against the contract without running any of it. */
import { resolve } from 'node:path';
import type { Rootfs } from '../machine/sandbox/port/sandbox.ts';
import { findFamily, settleFamily } from '../staging/buildpack/contract/family.ts';
import { buildpackRoot } from '../staging/buildpack/contract/root.ts';
import { isStagerError } from '../words/errors.ts';
import { FILE_RULES } from './lint-files.ts';
import { type LintFinding, lintInput, type Rule } from './lint-input.ts';
import { MANIFEST_RULES } from './lint-manifest.ts';
import { SCRIPT_RULES } from './lint-scripts.ts';
import { shellcheckRule } from './lint-shellcheck.ts';

/** All our own rules, in the order of the findings. */
export const RULES: readonly Rule[] = [...FILE_RULES, ...SCRIPT_RULES, ...MANIFEST_RULES];

/** Worst first. */
const ORDER = { error: 0, warning: 1, note: 2 } as const;

/** What to look at. */
export interface LintRequest {
  readonly dir: string;
  /** Where interpreters are looked for. */
  readonly rootfs: Rootfs;
  /** Its name decides about buildpacks that fit both families. */
  readonly stack: string;
  /** A path or name of shellcheck, whose findings come with ours where it is installed; none: it is not asked. */
  readonly shellcheck?: string;
}

/** The findings, worst first. A directory that is not a buildpack at all is one finding. */
export async function lintBuildpack(request: LintRequest): Promise<readonly LintFinding[]> {
  const dir = resolve(request.dir);
  try {
    const root = await buildpackRoot(dir, request.dir);
    const family = settleFamily(await findFamily(root, request.dir), [], request.stack);
    const stackRoot = request.rootfs.kind === 'host' ? '/' : request.rootfs.path;
    const input = await lintInput(root, family, stackRoot);
    const findings: LintFinding[] = [];
    const { shellcheck } = request;
    const rules = shellcheck === undefined ? RULES : [...RULES, shellcheckRule(shellcheck)];
    for (const { find, id, severity, reason } of rules) {
      for (const found of await find(input)) findings.push({ id, severity, reason, ...found });
    }
    return findings.sort((a, b) => ORDER[a.severity] - ORDER[b.severity]);
  } catch (error) {
    if (!isStagerError(error, 'BUILDPACK_MALFORMED')) throw error;
    const reason =
      'a buildpack is a directory with bin/ at its top or in its only directory (recognising a buildpack)';
    return [{ id: 'no-buildpack', severity: 'error', path: '.', message: error.message, reason }];
  }
}
