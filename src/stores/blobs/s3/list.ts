/** Listing keys: whole pages, in bounded number, of nothing but what was asked for. */
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { BlobKind, BlobName, ListOptions } from '../port/blob-store.ts';
import { keyOfPath, pathPrefixOf } from '../port/key.ts';
import { OddAnswer } from './errors.ts';
import { Pages } from './pages.ts';
import type { S3Session } from './session.ts';

/** An object as a listing shows it. */
export interface RawObject {
  readonly key: string;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
}

interface Page {
  readonly objects: readonly RawObject[];
  readonly token: string | undefined;
}

/** Objects under a prefix of the bucket, a thousand a request. */
export async function* objects(
  session: S3Session,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<RawObject> {
  const pages = new Pages();
  let token: string | undefined;
  do {
    const page = await pageOf(session, { prefix, token, signal });
    const wrong = pages.wrongIn(page.objects.at(-1)?.key, page.token);
    if (wrong !== undefined) throw session.explain(new OddAnswer(wrong), 'listing', prefix);
    yield* page.objects;
    token = page.token;
  } while (token !== undefined);
}

/** One page that is whole, asked for again when it is not: what a page leaves out would count as unneeded. */
function pageOf(
  session: S3Session,
  { prefix, token, signal }: { prefix: string; token: string | undefined; signal: AbortSignal },
): Promise<Page> {
  const command = new ListObjectsV2Command({
    Bucket: session.address.bucket,
    Prefix: prefix,
    ...(token === undefined ? {} : { ContinuationToken: token }),
  });
  return session.send({ doing: 'listing', key: prefix, signal }, async (abortSignal) => {
    const page = await session.client.send(command, { abortSignal });
    const { Contents = [], IsTruncated, KeyCount, Name, NextContinuationToken } = page;
    // A web page, of somebody who wants us to sign in, is an answer with nothing in it.
    if (IsTruncated === undefined && KeyCount === undefined && Name === undefined)
      throw new OddAnswer('it is not a listing');
    if (IsTruncated === true && NextContinuationToken === undefined)
      throw new OddAnswer('it is not a complete listing: it says that there is more, but not where');
    if (KeyCount !== undefined && KeyCount > Contents.length)
      throw new OddAnswer(`it is not a complete listing: ${Contents.length} of ${KeyCount} keys are there`);
    const found = Contents.map(({ Key = '', Size = 0, LastModified }) => ({
      key: Key,
      sizeBytes: Size,
      // Unknown is young: nothing is removed for an age that nobody told.
      modifiedAtMs: LastModified?.getTime() ?? session.now(),
    }));
    const foreign = found.find(({ key }) => !key.startsWith(prefix));
    if (foreign !== undefined)
      throw new OddAnswer(
        `it lists ${foreign.key}, although only keys that begin with ${prefix} were requested`,
      );
    return { objects: found, token: IsTruncated === true ? NextContinuationToken : undefined };
  });
}

/** Names of a kind's blobs. */
export async function* listNames(
  session: S3Session,
  kind: BlobKind,
  options: ListOptions,
): AsyncGenerator<BlobName> {
  const prefix = options.prefix ?? '';
  const start = `${session.address.prefix}${pathPrefixOf(kind, prefix)}`;
  for await (const { key: raw, sizeBytes, modifiedAtMs } of objects(session, start, options.signal)) {
    const key = keyOfPath(raw.slice(session.address.prefix.length));
    if (key?.name.startsWith(prefix) === true) yield { key, sizeBytes, modifiedAtMs };
  }
}
