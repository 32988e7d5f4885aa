/** Makes a tree of what the build cache in argv wishes for, until it is killed. */
import { ContentStore } from '../../src/staging/buildpack/acquire/content-store.ts';
import { UnpackedTrees } from '../../src/staging/unpacked/trees.ts';
import { wishesIn } from '../../src/staging/unpacked/wish.ts';
import { systemClock } from '../../src/words/clock.ts';

const [root = '', cache = ''] = process.argv.slice(2);
const { signal } = new AbortController();
const trees = new UnpackedTrees(new ContentStore(root, systemClock));
process.stdout.write('begun\n');
for (const wish of await wishesIn(cache)) {
  await trees.keep(wish, signal);
  const held = await trees.hold(wish, signal, () => undefined);
  await held?.release();
}
await trees.sweep(signal);
