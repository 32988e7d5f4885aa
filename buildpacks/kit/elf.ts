/** What a program or library of Linux asks the loader for. */
import { open } from 'node:fs/promises';

const LOAD = 1;
const DYNAMIC = 2;
const NEEDED = 1;
const STRING_TABLE = 5;
const STRING_SIZE = 10;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

/** Names of the shared libraries that a 64 bit ELF file names (`libssl.so.3`); none for any other file. */
export async function neededLibraries(file: string): Promise<string[]> {
  await using handle = await open(file);
  const read = async (position: number, length: number): Promise<Buffer> => {
    const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(length), position });
    return buffer.subarray(0, bytesRead);
  };
  const header = await read(0, 64);
  // Magic number, 64 bit, little endian: what Linux on x64 and arm64 has.
  if (header.length < 64 || header.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') return [];
  const [size, count] = [header.readUInt16LE(54), header.readUInt16LE(56)];
  const table = await read(number(header, 32), size * count);
  const segments: Segment[] = [];
  for (let at = 0; at + 56 <= table.length; at += size) {
    segments.push({
      type: table.readUInt32LE(at),
      offset: number(table, at + 8),
      address: number(table, at + 16),
      size: number(table, at + 32),
    });
  }
  const dynamic = segments.find(({ type }) => type === DYNAMIC);
  if (dynamic === undefined) return [];
  const entries = await read(dynamic.offset, dynamic.size);
  const names: number[] = [];
  const tags = new Map<number, number>();
  for (let at = 0; at + 16 <= entries.length; at += 16) {
    const [tag, value] = [number(entries, at), number(entries, at + 8)];
    if (tag === NEEDED) names.push(value);
    else if (!tags.has(tag)) tags.set(tag, value);
  }
  const address = tags.get(STRING_TABLE) ?? 0;
  const home = segments.find(
    ({ type, address: from, size: long }) => type === LOAD && address >= from && address < from + long,
  );
  if (home === undefined) return [];
  const strings = await read(address - home.address + home.offset, tags.get(STRING_SIZE) ?? 0);
  return names.map((at) => strings.toString('latin1', at, strings.indexOf(0, at)));
}

function number(from: Buffer, at: number): number {
  return Number(from.readBigUInt64LE(at));
}
