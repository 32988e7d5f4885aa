/** Recognises archives by their first and last bytes, since names can lie. */
import { open } from 'node:fs/promises';
import { StagerError } from '../../words/errors.ts';
import { unreadable } from './content.ts';

/** Kinds of archive that are read. */
export type Packing = 'zip' | 'gzip' | 'tar';

/** Known, and not read: say which. */
const OTHERS: readonly { readonly magic: readonly number[]; readonly name: string }[] = [
  { magic: [0x28, 0xb5, 0x2f, 0xfd], name: 'zstd' },
  { magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a], name: 'xz' },
  { magic: [0x42, 0x5a, 0x68], name: 'bzip2' },
  { magic: [0x52, 0x61, 0x72, 0x21], name: 'RAR' },
  { magic: [0x37, 0x7a, 0xbc, 0xaf], name: '7-zip' },
];
const END_OF_ZIP = Buffer.from([0x50, 0x4b, 0x05, 0x06]);
const MAX_ZIP_TAIL = 65_557;

/** @throws StagerError SOURCE_ARCHIVE_INVALID when it is neither zip nor tar. */
export async function sniff(hostPath: string, description: string): Promise<Packing> {
  const handle = await open(hostPath, 'r').catch((error: unknown) => {
    throw unreadable(description, error);
  });
  try {
    const { size } = await handle.stat();
    const head = Buffer.alloc(Math.min(512, size));
    await handle.read(head, 0, head.length, 0);
    if (head[0] === 0x50 && head[1] === 0x4b && (head[2] === 3 || head[2] === 5)) return 'zip';
    if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
    if (isTarHeader(head)) return 'tar';
    const tail = Buffer.alloc(Math.min(MAX_ZIP_TAIL, size));
    await handle.read(tail, 0, tail.length, size - tail.length);
    if (tail.includes(END_OF_ZIP)) return 'zip';
    throw unknownKind(head, description);
  } finally {
    await handle.close();
  }
}

/** A header block's checksum counts its own field as spaces; old tars have no other mark. All zeros: an empty tar. */
function isTarHeader(block: Buffer): boolean {
  if (block.length < 512) return false;
  if (block.every((byte) => byte === 0)) return true;
  const stored = Number.parseInt(block.toString('latin1', 148, 156).replace(/[\0 ]+$/, ''), 8);
  let sum = 8 * 0x20;
  for (let at = 0; at < 512; at += 1) if (at < 148 || at >= 156) sum += block[at] ?? 0;
  return stored === sum;
}

function unknownKind(head: Buffer, description: string): StagerError {
  const other = OTHERS.find(({ magic }) => magic.every((byte, at) => head[at] === byte));
  const what = other === undefined ? 'is neither a zip nor a tar' : `is packed with ${other.name}`;
  return new StagerError('SOURCE_ARCHIVE_INVALID', `${description} ${what}`, {
    next: 'Name a directory, a .zip, .jar or .war, or a .tar or .tar.gz.',
    details: { path: description },
  });
}
