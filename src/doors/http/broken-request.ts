/** What never becomes a request, since its head is too large, too slow or not HTTP, is answered in v3's form or UAA's. */
import type { Socket } from 'node:net';

const ANSWERS = {
  HPE_HEADER_OVERFLOW: {
    status: '431 Request Header Fields Too Large',
    detail: 'The address or the headers of the request are too long',
  },
  ERR_HTTP_REQUEST_TIMEOUT: { status: '408 Request Timeout', detail: 'The request took too long to arrive' },
} as const;
const BROKEN = { status: '400 Bad Request', detail: 'The request is not HTTP' } as const;

/** The first line of a request for the sign-in, as far as what arrived last has it. */
const FOR_UAA = /^[A-Z]+ \/uaa\//;

/** What node's parser tells. */
type ParserError = Error & { readonly code?: string; readonly rawPacket?: unknown };

export function answerBrokenRequest(error: ParserError, socket: Socket): void {
  // The client is gone, or has its answer already.
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) return;
  const { status, detail } =
    new Map<string, { readonly status: string; readonly detail: string }>(Object.entries(ANSWERS)).get(
      error.code ?? '',
    ) ?? BROKEN;
  const { rawPacket } = error;
  const isForUaa = Buffer.isBuffer(rawPacket) && FOR_UAA.test(rawPacket.toString('latin1', 0, 100));
  const body = JSON.stringify(
    isForUaa
      ? { error: 'invalid_request', error_description: detail }
      : { errors: [{ code: 1004, title: 'CF-BadRequest', detail }] },
  );
  socket.end(
    [
      `HTTP/1.1 ${status}`,
      'connection: close',
      'content-type: application/json; charset=utf-8',
      `content-length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n'),
  );
}
