/** The stack of a staging. */
import type { Staging, StagingStack } from './staging.ts';

/** The stack, which is verified while the app is packaged. */
export function verifiedStack(staging: Staging): Promise<StagingStack> {
  const finding = staging.ports.stack(staging.request.stack).then((stack) => {
    if (stack.notice !== undefined) staging.warn('stack-restored', stack.notice);
    return stack;
  });
  // Packaging may fail first; then nobody waits for this.
  finding.catch(() => undefined);
  return finding;
}
