/** Checksums of what a manifest lists. For the tools that write manifests: what the old one has is not fetched again. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { NotThere } from './download.ts';
import { locate } from './mirrors.ts';

const previous = z
  .object({ dependencies: z.array(z.object({ uri: z.string(), sha256: z.string() })) })
  .catch({ dependencies: [] });

/** Gives the sha256 of a `uri`: that of the manifest at `path`, else of the file itself; undefined when there is no such file. */
export async function manifestSums(path: string): Promise<(uri: string) => Promise<string | undefined>> {
  const old = previous.parse(parse(await readFile(path, 'utf8').catch(() => '')));
  return async (uri) => {
    const known = old.dependencies.find((entry) => entry.uri === uri)?.sha256;
    if (known !== undefined) return known;
    const url = locate(uri, process.env);
    const { body, status } = await fetch(url);
    if (status === 404) return undefined;
    if (body === null || status !== 200) throw new NotThere(url, status);
    const hash = createHash('sha256');
    for await (const chunk of body) hash.update(chunk);
    return hash.digest('hex');
  };
}
