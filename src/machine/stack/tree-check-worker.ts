/** Checks one tree beside whatever the main thread does: a stack has some 10,000 entries or more. */
import { parentPort, workerData } from 'node:worker_threads';
import { z } from 'zod';
import { checkTree } from '../host/tree-seal.ts';

const { root, seal, content } = z
  .object({ root: z.string(), seal: z.string(), content: z.string().optional() })
  .parse(workerData);

// Without `await` at the top: this is bundled as CommonJS, which starts faster.
void checkTree(root, seal, { signal: new AbortController().signal, content }).then((found) =>
  parentPort?.postMessage(found),
);
