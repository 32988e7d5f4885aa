/** Multipart uploads: the file part `bits` is taken to the spool, text parts are kept. */

import { rm } from 'node:fs/promises';
import type { FastifyRequest } from 'fastify';
import type { UploadSpool } from '../../../service/builds/upload-spool.ts';
import { CfError } from './cf-errors.ts';

export interface Upload {
  /** File name as the client gave it. */
  readonly bits?: { readonly path: string; readonly filename: string };
  /** JSON text. */
  readonly resources?: string;
  /** Removes what was not kept. */
  discard(): Promise<void>;
}

export async function readUpload(request: FastifyRequest, spool: UploadSpool): Promise<Upload> {
  if (!request.isMultipart()) {
    throw new CfError(
      'UnprocessableEntity',
      'Upload must include either resources or bits, as multipart/form-data',
    );
  }
  let bits: Upload['bits'];
  let resources: string | undefined;
  const discard = async (): Promise<void> => {
    if (bits !== undefined) await rm(bits.path, { force: true });
  };
  try {
    for await (const part of request.parts()) {
      if (part.type === 'file') {
        const path = await spool.take(part.file);
        const given = part.filename;
        if (part.fieldname === 'bits' && bits === undefined) bits = { path, filename: given };
        else await rm(path, { force: true });
      } else if (part.fieldname === 'resources') resources = String(part.value);
    }
  } catch (error) {
    await discard();
    throw isMalformed(error)
      ? new CfError('MessageParseError', `Request invalid due to parse error: ${error.message}`)
      : error;
  }
  return { ...(bits !== undefined && { bits }), ...(resources !== undefined && { resources }), discard };
}

/** What the parser says of a body that is no multipart, or ends too early: plain errors, known by their sentences alone. */
function isMalformed(error: unknown): error is Error {
  return (
    error instanceof Error &&
    /^Multipart: |unexpected end of multipart data$|^The needle cannot /i.test(error.message)
  );
}
