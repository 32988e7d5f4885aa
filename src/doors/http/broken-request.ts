/** What never becomes a request, since its head is too large, too slow or not HTTP, is answered in v3's form as well. */
import type { Socket } from 'node:net';

const ANSWERS = {
  HPE_HEADER_OVERFLOW: {
    status: '431 Request Header Fields Too Large',
    detail: 'The address or the headers of the request are too long',
  },
  ERR_HTTP_REQUEST_TIMEOUT: { status: '408 Request Timeout', detail: 'The request took too long to arrive' },
} as const;
const BROKEN = { status: '400 Bad Request', detail: 'The request is not HTTP' } as const;

export function answerBrokenRequest(error: Error & { readonly code?: string }, socket: Socket): void {
  // The client is gone, or has its answer already.
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) return;
  const { status, detail } =
    new Map<string, { readonly status: string; readonly detail: string }>(Object.entries(ANSWERS)).get(
      error.code ?? '',
    ) ?? BROKEN;
  const body = JSON.stringify({ errors: [{ code: 1004, title: 'CF-BadRequest', detail }] });
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
