/** `stager buildpack lint`: what in a buildpack breaks the contract, and why that matters. */
import { createColors } from 'picocolors';
import { printable } from '../../../staging/source/refusals.ts';
import { StagerError } from '../../../words/errors.ts';
import { formatCount } from '../../../words/units.ts';
import { lintBuildpack } from '../../../workshop/lint.ts';
import type { LintFinding } from '../../../workshop/lint-input.ts';
import type { Context } from '../input/context.ts';
import type { Output } from '../terminal/output.ts';

/** Fails when a finding is an error. */
export async function buildpackLint(context: Context): Promise<number> {
  const { config, output, args } = context;
  const stager = await context.stager();
  const dir = String(args[0]);
  const { name, rootfs } = await stager.stacks.resolve(config.settings.stack);
  const findings = await lintBuildpack({ dir, rootfs, stack: name, shellcheck: 'shellcheck' });
  for (const finding of findings) {
    if (output.json) output.object({ type: 'finding', ...finding });
    else if (!output.quiet || finding.severity === 'error') show(finding, output);
  }
  const count = (severity: LintFinding['severity']) =>
    findings.filter((it) => it.severity === severity).length;
  const [errors, warnings, notes] = [count('error'), count('warning'), count('note')];
  const rest = `${formatCount(warnings, 'warning')}, ${formatCount(notes, 'note')}`;
  if (errors > 0) {
    throw new StagerError('BUILDPACK_MALFORMED', `${formatCount(errors, 'error')}, ${rest} in ${dir}`, {
      next: 'Each rule is explained in docs/workshop.md.',
      details: { errors, warnings, notes },
    });
  }
  if (!output.json && !output.quiet) output.note(`${dir}: no errors, ${rest}`);
  return 0;
}

function show({ id, severity, path, line, message, reason }: LintFinding, output: Output): void {
  const colours = createColors(output.colour);
  const paint = { error: colours.red, warning: colours.yellow, note: colours.cyan }[severity];
  const place = line === undefined ? printable(path) : `${printable(path)}:${line}`;
  output.line(`${place}: ${paint(severity)} ${printable(message)} [${id}]`);
  output.line(colours.dim(`    ${reason}`));
}
