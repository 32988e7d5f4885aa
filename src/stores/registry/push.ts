/**
 * Writing images to a registry: blobs first, the manifest by its digest next, the tag last. So a tag never names what
 * is not there whole, whenever the push ends.
 */
import type { Readable } from 'node:stream';
import pLimit from 'p-limit';
import type { Clock } from '../../words/clock.ts';
import { isStagerError, StagerError } from '../../words/errors.ts';
import { backoffMs, pause, type RetryPolicy } from '../../words/retry.ts';
import type { RegistryClient } from './client.ts';
import { type Descriptor, MAX_MANIFEST_BYTES } from './documents.ts';
import { BrokenExchange, discard, type RegistryAnswer } from './exchange.ts';
import type { ImageReference } from './reference.ts';
import type { RegistrySession } from './session.ts';

/** A blob that is to be in the registry. */
export interface BlobToPush {
  readonly descriptor: Descriptor;
  /** Its bytes from `start`; called again when an upload has to be taken up or started over. */
  readonly open: (start: number) => Promise<Readable>;
  /** Where it is already. */
  readonly from?: ImageReference;
}

/** What a push did. */
export interface PushSummary {
  readonly digest: string;
  readonly uploaded: number;
  readonly uploadedBytes: number;
  /** Taken over from another repository of the registry. */
  readonly mounted: number;
  /** There already. */
  readonly present: number;
  /** Times that an upload was taken up where it broke. */
  readonly resumed: number;
}

/** An image that is to be pushed. */
export interface PushWish {
  readonly target: ImageReference;
  readonly manifest: Buffer;
  readonly mediaType: string;
  readonly digest: string;
  readonly blobs: readonly BlobToPush[];
}

const PARALLEL = 4;
const ATTEMPTS = 5;
/** In one request. */
const SMALL = 1024 * 1024;

/** Pushes one image. @throws StagerError those of the registry; IMAGE_INVALID for a manifest that no registry takes. */
export async function pushImage(
  wish: PushWish,
  {
    client,
    clock,
    signal,
  }: { readonly client: RegistryClient; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<PushSummary> {
  if (wish.manifest.length > MAX_MANIFEST_BYTES)
    throw new StagerError(
      'IMAGE_INVALID',
      `the manifest has ${wish.manifest.length} bytes, and registries take ${MAX_MANIFEST_BYTES}`,
      {
        next: 'Use fewer layers and labels.',
      },
    );
  const pushing = new Pushing(wish, client.session(wish.target.registry), {
    clock,
    signal,
    patience: client.patience,
  });
  const limit = pLimit(PARALLEL);
  const once = new Map(wish.blobs.map((blob) => [blob.descriptor.digest, blob]));
  const all = await Promise.allSettled([...once.values()].map((blob) => limit(() => pushing.blob(blob))));
  const failed = all.find((it) => it.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  await pushing.manifest(wish.digest);
  if (wish.target.tag !== undefined) await pushing.manifest(wish.target.tag);
  return { digest: wish.digest, ...pushing.tally };
}

interface Waiting {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly patience: RetryPolicy;
}

class Pushing {
  readonly #wish: PushWish;
  readonly #session: RegistrySession;
  readonly #scopes: readonly string[];
  readonly #base: string;
  readonly #waiting: Waiting;
  readonly tally = { uploaded: 0, uploadedBytes: 0, mounted: 0, present: 0, resumed: 0 };
  #failed: unknown;

  constructor(wish: PushWish, session: RegistrySession, waiting: Waiting) {
    this.#wish = wish;
    this.#session = session;
    this.#waiting = waiting;
    this.#base = `v2/${wish.target.repository}`;
    this.#scopes = [`repository:${wish.target.repository}:pull,push`];
  }

  async manifest(name: string): Promise<void> {
    const { manifest, mediaType } = this.#wish;
    await discard(
      await this.#session.call({
        method: 'PUT',
        path: `${this.#base}/manifests/${name}`,
        headers: { 'content-type': mediaType, 'content-length': String(manifest.length) },
        body: () => manifest,
        scopes: this.#scopes,
        expect: [201, 202, 200],
      }),
    );
  }

  async blob(blob: BlobToPush): Promise<void> {
    if (this.#failed !== undefined) return;
    try {
      if (await this.#isThere(blob.descriptor.digest)) this.tally.present += 1;
      else {
        const begun = await this.#mount(blob);
        if (begun !== 'mounted') await this.#upload(blob, begun);
      }
    } catch (error) {
      this.#failed ??= error;
      throw error;
    }
  }

  async #isThere(digest: string): Promise<boolean> {
    const path = `${this.#base}/blobs/${digest}`;
    const answer = await this.#session.call({
      method: 'HEAD',
      path,
      scopes: this.#scopes,
      expect: [200, 404, 405],
    });
    await discard(answer);
    return answer.status === 200;
  }

  /** Whatever goes wrong with it, there is still the upload. */
  async #mount({ descriptor, from }: BlobToPush): Promise<'mounted' | URL | undefined> {
    const { target } = this.#wish;
    if (from === undefined || from.registry !== target.registry || from.repository === target.repository)
      return undefined;
    const query = new URLSearchParams({ mount: descriptor.digest, from: from.repository });
    try {
      const answer = await this.#session.call({
        method: 'POST',
        path: `${this.#base}/blobs/uploads/?${query}`,
        headers: { 'content-length': '0' },
        scopes: [...this.#scopes, `repository:${from.repository}:pull`],
        expect: [201, 202],
        again: false,
      });
      await discard(answer);
      if (answer.status === 202) return locationOf(answer);
      this.tally.mounted += 1;
      return 'mounted';
    } catch (error) {
      if (isStagerError(error, 'REGISTRY_DENIED', 'REGISTRY_UNAVAILABLE')) return undefined;
      throw error;
    }
  }

  async #upload(blob: BlobToPush, begun: URL | undefined): Promise<void> {
    const { digest, size } = blob.descriptor;
    let place: Place = { url: begun, offset: 0 };
    for (let attempt = 1; ; attempt += 1) {
      try {
        if (place.url === undefined) place = { url: await this.#begin(), offset: 0 };
        await this.#send(blob, place);
        break;
      } catch (error) {
        const last =
          attempt >= ATTEMPTS ||
          !(isStagerError(error, 'REGISTRY_UNAVAILABLE') || error instanceof BrokenExchange);
        if (last) throw error;
        await pause(backoffMs(this.#waiting.patience, attempt), this.#waiting);
        place = await this.#whereWeWere(place, size);
      }
    }
    if (!(await this.#isThere(digest)))
      throw new StagerError(
        'REGISTRY_UNAVAILABLE',
        `the registry ${this.#session.registry} accepted ${digest} but does not have it`,
        {
          next: "Check the registry's storage, and push again.",
        },
      );
    this.tally.uploaded += 1;
    this.tally.uploadedBytes += size;
  }

  async #begin(): Promise<URL> {
    const answer = await this.#session.call({
      method: 'POST',
      path: `${this.#base}/blobs/uploads/`,
      headers: { 'content-length': '0' },
      scopes: this.#scopes,
      expect: [202],
    });
    await discard(answer);
    return locationOf(answer);
  }

  async #send({ descriptor, open }: BlobToPush, { url, offset }: Place): Promise<void> {
    if (url === undefined) throw new Error('an upload has an address');
    const { digest, size } = descriptor;
    const left = size - offset;
    const common = { scopes: this.#scopes, again: false } as const;
    const type = { 'content-type': 'application/octet-stream' };
    let at = url;
    let rest: Buffer | undefined;
    if (left > SMALL) {
      const range = offset === 0 ? {} : { 'content-range': `${offset}-${size - 1}` };
      const body = await open(offset);
      try {
        const headers = { ...type, ...range, 'content-length': String(left) };
        const answer = await this.#session.call({
          ...common,
          method: 'PATCH',
          path: at,
          headers,
          body: () => body,
          expect: [202],
        });
        await discard(answer);
        at = locationOf(answer);
      } finally {
        body.destroy();
      }
    } else if (left > 0) rest = await wholeOf(await open(offset));
    at.searchParams.set('digest', digest);
    const headers = { ...type, 'content-length': String(rest?.length ?? 0) };
    const body = rest ?? Buffer.alloc(0);
    await discard(
      await this.#session.call({
        ...common,
        method: 'PUT',
        path: at,
        headers,
        body: () => body,
        expect: [201, 204],
      }),
    );
  }

  /** Asks how much of an upload arrived; again when the registry does not know. */
  async #whereWeWere({ url }: Place, size: number): Promise<Place> {
    if (url === undefined) return { url: undefined, offset: 0 };
    try {
      const answer = await this.#session.call({
        method: 'GET',
        path: url,
        scopes: this.#scopes,
        expect: [204, 404],
      });
      await discard(answer);
      const last = /^(?:bytes=)?0-(\d+)$/.exec(answer.headers['range'] ?? '')?.[1];
      const offset = last === undefined ? 0 : Number(last) + 1;
      if (answer.status === 404 || offset <= 1 || offset > size) return { url: undefined, offset: 0 };
      this.tally.resumed += 1;
      return { url: answer.headers['location'] === undefined ? url : locationOf(answer), offset };
    } catch (error) {
      if (isStagerError(error, 'REGISTRY_UNAVAILABLE')) return { url: undefined, offset: 0 };
      throw error;
    }
  }
}

interface Place {
  readonly url: URL | undefined;
  readonly offset: number;
}

async function wholeOf(body: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

function locationOf(answer: RegistryAnswer): URL {
  const url = URL.parse(answer.headers['location'] ?? '', answer.url.href);
  if (url !== null) return url;
  throw new StagerError(
    'REGISTRY_UNAVAILABLE',
    `the registry ${answer.url.host} gives no address for an upload`,
    {
      next: 'Check the registry, or what is in front of it.',
    },
  );
}
