/** Reading files of a directory store. */
import { type FileHandle, open } from 'node:fs/promises';
import { cancelled } from '../../../words/errors.ts';
import { Digester, type Digests } from '../port/digests.ts';

const READ_BYTES = 1 << 20;

/** Bytes `start` to `end` (inclusive) of a file, which is closed at the end, on failure and on return. */
export async function* blocks(
  handle: FileHandle,
  range: { readonly start: number; readonly end?: number },
): AsyncGenerator<Uint8Array, void, void> {
  try {
    let position = range.start;
    const stop = range.end === undefined ? Number.POSITIVE_INFINITY : range.end + 1;
    while (position < stop) {
      const buffer = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, stop - position));
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

/** Passes chunks on until `signal` fires. @throws StagerError CANCELLED. */
export async function* cancellable(
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of chunks) {
    if (signal.aborted) throw cancelled(signal);
    yield chunk;
  }
}

/** Digests of a file, whose content is made durable. */
export async function digestDurably(path: string, signal: AbortSignal): Promise<Digests> {
  const digester = new Digester();
  await using handle = await open(path, 'r');
  await handle.sync();
  for await (const chunk of cancellable(blocks(handle, { start: 0 }), signal)) digester.update(chunk);
  return digester.end();
}
