/** The sandbox of this machine, as stager chooses it, with a state directory of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { egressWish } from '../../src/machine/network/wish.ts';
import { type Selection, selectSandbox } from '../../src/machine/sandbox/select.ts';

/** Opens it; `close` removes everything that it kept. */
export async function openTestSandbox(
  wanted: 'oci' | 'none' = 'oci',
  { egress = false }: { readonly egress?: boolean } = {},
): Promise<Selection> {
  // Not below a private home: the mapped root has to be able to pass through.
  const stateDir = await mkdtemp(join('/tmp', 'stager-test-sandbox-'));
  const selection = await selectSandbox({
    wanted,
    stateDir,
    ...(egress && { egress: () => egressWish({}, { proxy: {}, mirrors: [] }) }),
  });
  return {
    ...selection,
    close: async () => {
      await selection.close();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}
