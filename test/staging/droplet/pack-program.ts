/** Packs argv[2] into argv[3] (member cache argv[4], if given) and prints the peak of resident memory in MiB. */
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { buildCacheContents } from '../../../src/staging/droplet/contents.ts';
import { packTarball } from '../../../src/staging/droplet/pack/tarball.ts';

const [dir = '', file = '', memberCache] = process.argv.slice(2);
const { signal } = new AbortController();
const { body } = packTarball(buildCacheContents(dir), {
  signal,
  ...(memberCache === undefined ? {} : { memberCache }),
});
await pipeline(body, createWriteStream(file));
process.stdout.write(`${Math.ceil(process.resourceUsage().maxRSS / 1024)}\n`);
