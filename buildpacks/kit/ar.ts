/** The outer layer of a .deb: an ar archive with debian-binary, control.tar.* and data.tar.* in it. */
import { open } from 'node:fs/promises';
import { BuildpackFailure } from './failure.ts';

const MAGIC = '!<arch>\n';
const HEADER = 60;
/** debian-binary, control, data and a few signatures; more is not a package. */
const MAX_MEMBERS = 16;

/** Where the files of a package are: member name, first and last byte in the file. */
export interface DebData {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/**
 * Finds data.tar.* in a Debian package.
 *
 * @throws BuildpackFailure when the file is not such a package or is cut off.
 */
export async function debData(path: string): Promise<DebData> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const read = async (at: number, length: number): Promise<string> => {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at);
      return bytesRead === length ? buffer.toString('latin1') : '';
    };
    if ((await read(0, MAGIC.length)) !== MAGIC) throw broken(path, 'has no ar signature');
    let at = MAGIC.length;
    for (let member = 0; member < MAX_MEMBERS && at < size; member++) {
      const header = await read(at, HEADER);
      if (!header.endsWith('`\n')) throw broken(path, `has no member header at byte ${at}`);
      const name = header.slice(0, 16).trim().replace(/\/$/, '');
      const length = Number.parseInt(header.slice(48, 58), 10);
      const start = at + HEADER;
      if (!(length >= 0) || start + length > size) throw broken(path, `is cut off in ${name}`);
      if (name.startsWith('data.tar') && length > 0) return { name, start, end: start + length - 1 };
      at = start + length + (length % 2);
    }
    throw broken(path, 'has no data.tar');
  } finally {
    await file.close();
  }
}

function broken(path: string, why: string): BuildpackFailure {
  return new BuildpackFailure(`${path} is not a Debian package: it ${why}`);
}
