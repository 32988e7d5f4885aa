/** One task in a process of its own, so that its peak of memory is its own. Prints { ms, bytes, rssBytes }. */
import { createReadStream } from 'node:fs';
import { z } from 'zod';
import { saveBuildCache } from '../src/staging/build-cache/tarball.ts';
import { dropletContents } from '../src/staging/droplet/contents.ts';
import { parseCompression, tarballContentType } from '../src/staging/droplet/pack/compression.ts';
import { packTarball } from '../src/staging/droplet/pack/tarball.ts';
import { unpackTarball } from '../src/staging/droplet/unpack/unpack.ts';
import { DirectoryBlobStore } from '../src/stores/blobs/fs/directory-store.ts';

const task = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('pack'),
    app: z.string(),
    store: z.string(),
    compression: z.string(),
    memberCache: z.string().optional(),
  }),
  z.object({ kind: z.literal('unpack'), file: z.string(), dest: z.string() }),
  z.object({ kind: z.literal('save-cache'), dir: z.string(), store: z.string() }),
]);

const { signal } = new AbortController();
const todo = task.parse(JSON.parse(process.argv[2] ?? ''));
const started = performance.now();
const bytes = await perform(todo);
const ms = performance.now() - started;
const rssBytes = process.resourceUsage().maxRSS * 1024;
process.stdout.write(JSON.stringify({ ms, rssBytes, ...(bytes === undefined ? {} : { bytes }) }));

async function perform(what: z.infer<typeof task>): Promise<number | undefined> {
  switch (what.kind) {
    case 'pack':
      return await pack(what);
    case 'unpack':
      await unpackTarball(createReadStream(what.file, { highWaterMark: 1 << 20 }), what.dest, {
        signal,
        what: 'it',
      });
      return undefined;
    case 'save-cache': {
      const key = { kind: 'buildpack_cache', name: 'app/stack' } as const;
      const saved = await saveBuildCache(
        what.dir,
        { store: new DirectoryBlobStore(what.store), key },
        { signal },
      );
      return saved.info.sizeBytes;
    }
  }
}

/** From walk to stored droplet, as a staging does it. */
async function pack(what: Extract<z.infer<typeof task>, { kind: 'pack' }>): Promise<number> {
  const compression = parseCompression(what.compression);
  const info = '{"detected_buildpack":"nodejs","start_command":"npm start"}\n';
  const none = `${what.store}/none`;
  const { body, summary } = packTarball(
    dropletContents({ app: what.app, deps: none, profileD: none }, info),
    {
      signal,
      compression,
      ...(what.memberCache === undefined ? {} : { memberCache: what.memberCache }),
    },
  );
  const store = new DirectoryBlobStore(what.store);
  const key = { kind: 'droplets', name: 'bench' } as const;
  const blob = await store.put(key, body, { contentType: tarballContentType(compression), signal });
  await summary;
  return blob.sizeBytes;
}
