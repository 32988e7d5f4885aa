/** Reads the beginning of one of our own files. */
import { open } from 'node:fs/promises';

/** At most `bytes` bytes of the text at `path`; '' when it can't be read. */
export async function readHead(path: string, bytes: number): Promise<string> {
  try {
    await using file = await open(path, 'r');
    const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } catch {
    return '';
  }
}
