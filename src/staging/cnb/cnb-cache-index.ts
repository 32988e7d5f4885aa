/** What a build left for the next one of the same app: layers by digest, and what comes back (buildpack-contracts.md 5.8). */
import { stringify } from 'smol-toml';
import { z } from 'zod';
import { parseJson } from '../../words/json.ts';
import { parseToml } from './cnb-toml.ts';

const FORMAT = 1;
const Digest = z.string().regex(/^[0-9a-f]{64}$/);
const Layer = z.object({
  digest: Digest,
  launch: z.boolean(),
  build: z.boolean(),
  cache: z.boolean(),
  /** TOML of the table `metadata`, as it is written back. */
  metadata: z.string(),
});
const Index = z.object({
  format: z.literal(FORMAT),
  buildpacks: z.array(
    z.object({
      id: z.string(),
      /** Names of layers that can be names of files. */
      layers: z.record(z.string().regex(/^(?!\.{1,2}$)[^/\0]+$/), Layer),
      /** Text of store.toml. */
      store: z.string().exactOptional(),
    }),
  ),
  /** The tree of bills of materials. */
  sbom: Digest.exactOptional(),
});

/** One layer. */
export type CachedLayer = Readonly<z.infer<typeof Layer>>;
/** The whole document. */
export type CacheIndex = z.infer<typeof Index>;

/** The largest document that is read; metadata of layers is small. */
export const MAX_INDEX_BYTES = 16 * 1024 * 1024;

/** Its text. */
export const indexText = (index: Omit<CacheIndex, 'format'>): string =>
  JSON.stringify({ format: FORMAT, ...index });

/** The document, or undefined for what is none of ours, or of another version. */
export function readIndex(text: string): CacheIndex | undefined {
  try {
    return Index.safeParse(parseJson(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/**
 * What of a layer comes back before the next build. A layer for launch only is not needed while building, so its
 * content is put in its place at the end if the buildpack still wants it; one that is wanted for build has to be cached.
 */
export function comesBack({
  launch,
  build,
  cache,
}: Pick<CachedLayer, 'launch' | 'build' | 'cache'>): 'content' | 'metadata' | 'nothing' {
  if (cache) return 'content';
  return launch && !build ? 'metadata' : 'nothing';
}

/** The metadata of a layer as TOML, without types: the buildpack has to declare them again. */
export function metadataText(metadata: unknown): string {
  return metadata === undefined ? '' : stringify({ metadata });
}

/** What of a store.toml is kept: the table `metadata`. */
export function storeText(text: string): string | undefined {
  const read = parseToml(text);
  const parsed = read.ok ? z.looseObject({ metadata: z.unknown() }).safeParse(read.value).data : undefined;
  return parsed?.metadata === undefined ? undefined : stringify({ metadata: parsed.metadata });
}
