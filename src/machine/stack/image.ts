/**
 * Container images as root file systems: OCI image layouts (image-layout.md of the OCI image specification) and
 * what `docker save` writes (docker-archive, old and new).
 *
 * Every blob is checked against the digest by which it is named, and every layer against the configuration's
 * diff_ids. Paths inside an image are followed from the image's own root, since a docker-archive may hold links.
 */
import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { sha256OfBytes } from '../../words/digest.ts';
import { StagerError } from '../../words/errors.ts';
import { parseJson } from '../../words/json.ts';
import { InsideView } from '../sandbox/child/inside-view.ts';
import type { StackWriter } from './stack-writer.ts';
import { unpackTar } from './tar-entries.ts';

const Digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const Descriptor = z.object({
  mediaType: z.string().default(''),
  digest: Digest,
  platform: z.object({ os: z.string(), architecture: z.string() }).optional(),
});
const Index = z.object({ manifests: z.array(Descriptor).min(1) });
const Manifest = z.object({ config: Descriptor, layers: z.array(Descriptor) });
const Config = z.object({ rootfs: z.object({ diff_ids: z.array(Digest) }) });
const DockerManifest = z.array(z.object({ Config: z.string(), Layers: z.array(z.string()) })).min(1);

const MAX_JSON_BYTES = 16 * 1024 * 1024;
const MAX_INDEXES = 4;
/** Go's names of architectures for Node's. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };

interface Layer {
  readonly file: string;
  /** Of the file as it is; unknown in a docker-archive. */
  readonly digest?: string;
}

/** What kind of image is in a directory, if one does. */
export async function imageKind(directory: string): Promise<'oci' | 'docker' | undefined> {
  const view = new InsideView(directory, []);
  const has = async (path: string): Promise<boolean> => 'stats' in (await view.resolve(path));
  // A root file system may well have a manifest.json; it also has programs.
  if ((await has('/bin')) || (await has('/usr'))) return undefined;
  if (await has('/manifest.json')) return 'docker';
  return (await has('/oci-layout')) && (await has('/index.json')) ? 'oci' : undefined;
}

/**
 * Unpacks the layers of the image in `directory`.
 *
 * @returns the digest that names the image: of its manifest, or of its configuration in a docker-archive.
 * @throws StagerError STACK_INVALID when a blob is missing or is not what its digest says.
 */
export async function unpackImage(
  directory: string,
  into: StackWriter,
  { kind, signal }: { readonly kind: 'oci' | 'docker'; readonly signal: AbortSignal },
): Promise<string> {
  const image = new Image(directory);
  const { layers, diffIds, digest } = kind === 'oci' ? await image.oci() : await image.docker();
  if (layers.length !== diffIds.length) {
    throw invalid(directory, `it has ${layers.length} layers but ${diffIds.length} diff_ids`);
  }
  for (const [index, layer] of layers.entries()) {
    into.beginLayer();
    const found = await unpackTar(layer.file, into, signal);
    if (layer.digest !== undefined && `sha256:${found.sha256}` !== layer.digest) {
      throw invalid(directory, `layer ${index} is sha256:${found.sha256}, not ${layer.digest}`);
    }
    if (`sha256:${found.diffId}` !== diffIds[index]) {
      throw invalid(directory, `layer ${index} holds sha256:${found.diffId}, not ${diffIds[index]}`);
    }
  }
  return digest.slice('sha256:'.length);
}

interface Parts {
  readonly layers: readonly Layer[];
  readonly diffIds: readonly string[];
  readonly digest: string;
}

class Image {
  readonly #directory: string;
  readonly #view: InsideView;

  constructor(directory: string) {
    this.#directory = directory;
    this.#view = new InsideView(directory, []);
  }

  async oci(): Promise<Parts> {
    let index = this.#parse(Index, parseJson(await this.#text('/index.json')), 'index.json');
    for (let depth = 0; depth < MAX_INDEXES; depth += 1) {
      const chosen = choose(index.manifests);
      if (chosen === undefined) throw invalid(this.#directory, `it has no image for linux/${goArch()}`);
      const text = await this.#blob(chosen.digest);
      const document = parseJson(text);
      const nested = Index.safeParse(document);
      if (nested.success) {
        index = nested.data;
        continue;
      }
      const manifest = this.#parse(Manifest, document, chosen.digest);
      const config = this.#parse(
        Config,
        parseJson(await this.#blob(manifest.config.digest)),
        'configuration',
      );
      const layers: Layer[] = [];
      for (const { digest } of manifest.layers)
        layers.push({ digest, file: await this.#file(blobPath(digest)) });
      return { layers, diffIds: config.rootfs.diff_ids, digest: chosen.digest };
    }
    throw invalid(this.#directory, 'its indexes are nested too deeply');
  }

  async docker(): Promise<Parts> {
    const images = this.#parse(
      DockerManifest,
      parseJson(await this.#text('/manifest.json')),
      'manifest.json',
    );
    const [image] = images;
    if (image === undefined || images.length > 1) {
      throw invalid(this.#directory, `it holds ${images.length} images; save only one`);
    }
    const text = await this.#text(`/${image.Config}`);
    const config = this.#parse(Config, parseJson(text), image.Config);
    const layers: Layer[] = [];
    for (const name of image.Layers) layers.push({ file: await this.#file(`/${name}`) });
    return { layers, diffIds: config.rootfs.diff_ids, digest: digestOf(text) };
  }

  async #blob(digest: string): Promise<string> {
    const text = await this.#text(blobPath(digest));
    if (digestOf(text) !== digest) throw invalid(this.#directory, `${digest} is ${digestOf(text)}`);
    return text;
  }

  async #text(path: string): Promise<string> {
    const file = await this.#file(path);
    const { size } = await stat(file);
    if (size > MAX_JSON_BYTES)
      throw invalid(this.#directory, `${path} is larger than ${MAX_JSON_BYTES} bytes`);
    return await readFile(file, 'utf8');
  }

  async #file(path: string): Promise<string> {
    const found = await this.#view.resolve(path);
    if ('missing' in found || !found.stats.isFile()) throw invalid(this.#directory, `${path} is missing`);
    return found.host;
  }

  #parse<T>(schema: z.ZodType<T>, document: unknown, what: string): T {
    const parsed = schema.safeParse(document);
    if (!parsed.success) throw invalid(this.#directory, `${what}: ${z.prettifyError(parsed.error)}`);
    return parsed.data;
  }
}

type Described = z.infer<typeof Descriptor>;

function choose(manifests: readonly Described[]): Described | undefined {
  const fits = manifests.find(
    ({ platform }) => platform?.os === 'linux' && platform.architecture === goArch(),
  );
  return fits ?? manifests.find(({ platform }) => platform === undefined);
}

const goArch = (): string => ARCHITECTURES[process.arch] ?? process.arch;
const blobPath = (digest: string): string => `/blobs/${digest.replace(':', '/')}`;
const digestOf = (text: string): string => `sha256:${sha256OfBytes(text)}`;

function invalid(directory: string, why: string): StagerError {
  return new StagerError('STACK_INVALID', `the image can't be used as a stack: ${why}`, {
    next: 'Write it again with `docker save IMAGE` or `skopeo copy … oci:DIR`.',
    details: { path: directory },
  });
}
