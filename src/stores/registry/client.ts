/** Reading images from registries. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { isStagerError, StagerError } from '../../words/errors.ts';
import type { RetryPolicy } from '../../words/retry.ts';
import type { Credential } from './credentials.ts';
import {
  ACCEPTED,
  chooseManifest,
  type Descriptor,
  digestOf,
  type ImageDocuments,
  invalidImage,
  MAX_CONFIG_BYTES,
  MAX_MANIFEST_BYTES,
  MEDIA,
  machineArch,
  readConfig,
  readDocument,
} from './documents.ts';
import { discard, fullBody, type RegistryAnswer } from './exchange.ts';
import { formatReference, type ImageReference } from './reference.ts';
import { RETRY, type RegistryPorts, RegistrySession } from './session.ts';

const MAX_INDEXES = 4;
/** Artifacts of other kinds have manifests as well. Some old images say nothing. */
const CONFIG_TYPES: ReadonlySet<string> = new Set(['', MEDIA.config, MEDIA.dockerConfig]);

/** The registries that one command talks to. */
export class RegistryClient {
  readonly #ports: RegistryPorts;
  readonly #signal: AbortSignal;
  readonly #sessions = new Map<string, RegistrySession>();

  constructor(ports: RegistryPorts, signal: AbortSignal) {
    this.#ports = ports;
    this.#signal = signal;
  }

  /** How often and how long is waited. */
  get patience(): RetryPolicy {
    return this.#ports.retry ?? RETRY;
  }

  /** What was given for a host; docker's own files are for registries alone. */
  async givenFor(host: string): Promise<Credential | undefined> {
    return await this.#ports.given?.(host);
  }

  /** The session of a registry itself, which is where pushes go. */
  session(registry: string, base?: URL): RegistrySession {
    const key = `${registry} ${base?.href ?? ''}`;
    const known = this.#sessions.get(key) ?? new RegistrySession(registry, this.#ports, this.#signal, base);
    this.#sessions.set(key, known);
    return known;
  }

  /**
   * The image for this machine: manifest and configuration, both checked against their digests.
   *
   * @throws StagerError IMAGE_NOT_FOUND, IMAGE_INVALID and those of the registry.
   */
  async image(reference: ImageReference): Promise<ImageDocuments> {
    const named = formatReference(reference);
    let wanted = reference.digest ?? reference.tag ?? 'latest';
    const seen = new Set<string>();
    for (let depth = 0; depth < MAX_INDEXES; depth += 1) {
      const bytes = await this.#manifest(reference, wanted);
      const digest = digestOf(bytes);
      if (wanted.startsWith('sha256:') && wanted !== digest)
        throw invalidImage(named, `the registry sent ${digest} for ${wanted}`, 'Do not use this registry.');
      const found = readDocument(bytes, named);
      if (found.kind === 'manifest') return await this.#documents(reference, found.manifest, digest);
      seen.add(digest);
      const chosen = chooseManifest(found.index.manifests, machineArch());
      if (chosen === undefined)
        throw invalidImage(
          named,
          `it has no image for linux/${machineArch()}`,
          'Choose an image for this platform.',
        );
      if (seen.has(chosen.digest)) throw invalidImage(named, 'its indexes form a loop', 'Use another image.');
      wanted = chosen.digest;
    }
    throw invalidImage(named, `its indexes are nested more than ${MAX_INDEXES} deep`, 'Use another image.');
  }

  async #documents(
    reference: ImageReference,
    manifest: ImageDocuments['manifest'],
    digest: string,
  ): Promise<ImageDocuments> {
    const named = formatReference(reference);
    const { mediaType } = manifest.config;
    if (!CONFIG_TYPES.has(mediaType))
      throw invalidImage(
        named,
        `it is not a container image, but ${mediaType.slice(0, 200)}`,
        'Use another image.',
      );
    if (manifest.config.size > MAX_CONFIG_BYTES)
      throw invalidImage(named, `its configuration has ${manifest.config.size} bytes`, 'Use another image.');
    const configText = await this.#whole(await this.blob(reference, manifest.config), manifest.config);
    const config = readConfig(configText, named);
    if (config.rootfs.diff_ids.length !== manifest.layers.length)
      throw invalidImage(
        named,
        `it has ${manifest.layers.length} layers but ${config.rootfs.diff_ids.length} diff_ids`,
        'Use another image.',
      );
    return { digest, manifest, config, configText };
  }

  async #whole(body: Readable, { size }: Descriptor): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of body) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks, size);
  }

  async #manifest(reference: ImageReference, wanted: string): Promise<Buffer> {
    const answer = await this.#read(reference, `v2/${reference.repository}/manifests/${wanted}`, {
      accept: ACCEPTED,
    });
    return await fullBody(answer, MAX_MANIFEST_BYTES, 'the manifest').catch((error: unknown) => {
      throw invalidImage(
        formatReference(reference),
        error instanceof Error ? error.message : '',
        'Try again, or use another image.',
        error,
      );
    });
  }

  /** From the mirrors, then from the registry itself. */
  async #read(
    reference: ImageReference,
    path: string,
    headers: Readonly<Record<string, string>>,
  ): Promise<RegistryAnswer> {
    const { registry, repository } = reference;
    const scopes = [`repository:${repository}:pull`];
    for (const mirror of this.#ports.mirrors?.get(registry) ?? []) {
      const base = new URL(mirror.endsWith('/') ? mirror : `${mirror}/`);
      try {
        const call = { method: 'GET', path, headers, scopes, expect: [200, 206, 404], again: false } as const;
        const answer = await this.session(registry, base).call(call);
        if (answer.status !== 404) return answer;
        await discard(answer);
      } catch (error) {
        if (!isStagerError(error, 'REGISTRY_UNAVAILABLE', 'REGISTRY_DENIED')) throw error;
        this.#ports.onNote?.(`the mirror ${base.host} was skipped: ${error.message}`);
      }
    }
    const answer = await this.session(registry).call({
      method: 'GET',
      path,
      headers,
      scopes,
      expect: [200, 206, 404],
    });
    if (answer.status !== 404) return answer;
    await discard(answer);
    throw new StagerError('IMAGE_NOT_FOUND', `${formatReference(reference)} is not there: ${path}`, {
      next: 'Check the name and the tag; some registries also say this about images that an account may not see.',
      details: { image: formatReference(reference) },
    });
  }

  /**
   * The bytes of a blob. A connection that breaks is taken up where it broke; the stream fails with IMAGE_INVALID when
   * size or digest are wrong.
   */
  async blob(reference: ImageReference, descriptor: Descriptor): Promise<Readable> {
    const path = `v2/${reference.repository}/blobs/${descriptor.digest}`;
    const first = await this.#read(reference, path, {});
    return Readable.from(this.#bytes(reference, { descriptor, path, first }), { objectMode: false });
  }

  async *#bytes(
    reference: ImageReference,
    {
      descriptor,
      path,
      first,
    }: { readonly descriptor: Descriptor; readonly path: string; readonly first: RegistryAnswer },
  ): AsyncGenerator<Buffer> {
    const hash = createHash('sha256');
    const named = formatReference(reference);
    let answer = first;
    let done = 0;
    for (let attempt = 1; ; attempt += 1) {
      try {
        for await (const chunk of answer.body) {
          const part = Buffer.from(chunk);
          done += part.length;
          if (done > descriptor.size)
            throw invalidImage(
              named,
              `${descriptor.digest} is longer than its ${descriptor.size} bytes`,
              'Do not use this registry.',
            );
          hash.update(part);
          yield part;
        }
      } catch (error) {
        if (isStagerError(error) || attempt >= MAX_RESUMES) throw error;
      } finally {
        answer.body.destroy();
      }
      if (done >= descriptor.size || attempt >= MAX_RESUMES) break;
      answer = await this.#read(reference, path, { range: `bytes=${done}-` });
      if (answer.status !== 206) {
        answer.body.destroy();
        break;
      }
    }
    const found = `sha256:${hash.digest('hex')}`;
    if (done !== descriptor.size || found !== descriptor.digest)
      throw invalidImage(
        named,
        `${descriptor.digest} came as ${found} with ${done} of ${descriptor.size} bytes`,
        'Try again, or do not use this registry.',
      );
  }
}

const MAX_RESUMES = 5;
