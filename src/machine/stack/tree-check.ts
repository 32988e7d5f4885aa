/** The check of a stack's tree, in a thread of its own. */
import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import type { TreeCheck } from '../host/tree-seal.ts';

const reply = z.tuple([
  z.union([
    z.object({ outcome: z.enum(['intact', 'unsealed']) }),
    z.object({ outcome: z.literal('damaged'), path: z.string(), why: z.string() }),
  ]),
]);

/** As {@link import('../host/tree-seal.ts').checkTree}. */
export async function checkTreeBeside(tree: {
  readonly root: string;
  readonly seal: string;
  readonly content: string | undefined;
}): Promise<TreeCheck> {
  const module = new URL(`./tree-check-worker${extname(import.meta.url)}`, import.meta.url);
  const worker = new Worker(module, { workerData: tree, resourceLimits: { maxYoungGenerationSizeMb: 2 } });
  try {
    const [found] = reply.parse(await once(worker, 'message'));
    return found.outcome === 'damaged' ? found : { outcome: found.outcome };
  } finally {
    await worker.terminate();
  }
}
