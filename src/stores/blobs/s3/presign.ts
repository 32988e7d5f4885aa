/** URLs that work without credentials until they expire. */
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type {
  BlobKey,
  PresignedRequest,
  Presigner,
  PresignOptions,
  PresignPutOptions,
} from '../port/blob-store.ts';
import { checkKey } from '../port/key.ts';
import { META, objectKey } from './record.ts';
import type { S3Session } from './session.ts';

/**
 * The presigner of a session. A PUT is signed together with length, digests as metadata, and the sha256 that the
 * store itself checks; so its holder can put these bytes or none.
 */
export function presignerOf(session: S3Session): Presigner {
  const Bucket = session.address.bucket;
  return {
    async get(key: BlobKey, { expiresInSeconds }: PresignOptions): Promise<PresignedRequest> {
      checkKey(key);
      const command = new GetObjectCommand({ Bucket, Key: objectKey(session, key) });
      try {
        return {
          method: 'GET',
          headers: {},
          url: await getSignedUrl(session.client, command, { expiresIn: expiresInSeconds }),
        };
      } catch (error) {
        throw session.explain(error, 'signing a URL', objectKey(session, key));
      }
    },
    async put(key: BlobKey, options: PresignPutOptions): Promise<PresignedRequest> {
      checkKey(key);
      const command = new PutObjectCommand({ Bucket, Key: objectKey(session, key) });
      const { sse, kmsKeyId, storageClass } = session.address;
      const headers: Record<string, string> = {
        'content-type': options.contentType,
        'content-length': String(options.sizeBytes),
        'x-amz-checksum-sha256': Buffer.from(options.sha256, 'hex').toString('base64'),
        [`x-amz-meta-${META.sha1}`]: options.sha1,
        [`x-amz-meta-${META.sha256}`]: options.sha256,
        ...(sse === undefined ? {} : { 'x-amz-server-side-encryption': sse }),
        ...(kmsKeyId === undefined ? {} : { 'x-amz-server-side-encryption-aws-kms-key-id': kmsKeyId }),
        ...(storageClass === undefined ? {} : { 'x-amz-storage-class': storageClass }),
      };
      command.middlewareStack.add(
        (next) => async (args) => {
          const { request } = args;
          if (typeof request === 'object' && request !== null && 'headers' in request) {
            Object.assign(Object(request.headers), headers);
          }
          return next(args);
        },
        { step: 'build', name: 'stagerPromisedHeaders' },
      );
      const names = new Set(Object.keys(headers));
      try {
        const url = await getSignedUrl(session.client, command, {
          expiresIn: options.expiresInSeconds,
          signableHeaders: names,
          unhoistableHeaders: names,
        });
        return { method: 'PUT', headers, url };
      } catch (error) {
        throw session.explain(error, 'signing a URL', objectKey(session, key));
      }
    },
  };
}
