/**
 * One gzip member (RFC 1952) whose header says how long it is, so that a reader can hand whole members to several
 * cores. The lengths are in an extra field, which every gzip reader skips; nothing else in a header varies: no
 * time, no name, operating system "unknown".
 *
 * Extra field: subfield `SG`, eight bytes: length of the whole member, then of its content, little-endian; the top
 * bit of the content's length marks a member that holds a piece of a big file instead of whole entries.
 */
import { crc32 } from 'node:zlib';

/** Length of our header: ten fixed bytes, two of extra length, four of subfield header, eight of lengths. */
export const MEMBER_HEADER_BYTES = 24;
const TRAILER_BYTES = 8;
const PIECE = 0x8000_0000;
/** None of our members is longer, whatever a header claims. */
const MAX_MEMBER_BYTES = 16 * 1024 * 1024;

/** What the header of a member says. */
export interface MemberHeader {
  /** Length of the member, header and trailer included. */
  readonly memberBytes: number;
  /** Length of its content. */
  readonly rawBytes: number;
  /** True for a piece of a big file. */
  readonly piece: boolean;
}

/** The member of `raw`, whose deflate stream is `pieces`, joined. */
export function gzipMember(raw: Buffer, pieces: readonly Buffer[], piece: boolean): Buffer {
  return gzipMemberOf(pieces, { rawBytes: raw.length, crc: crc32(raw), piece });
}

/** The same of a content whose length and checksum are known. */
export function gzipMemberOf(
  pieces: readonly Buffer[],
  raw: { readonly rawBytes: number; readonly crc: number; readonly piece: boolean },
): Buffer {
  const bodyBytes = pieces.reduce((sum, { length }) => sum + length, 0);
  const member = Buffer.allocUnsafeSlow(MEMBER_HEADER_BYTES + bodyBytes + TRAILER_BYTES);
  member.write('\x1f\x8b\x08\x04\0\0\0\0\0\xff\x0c\0SG\x08\0', 0, 16, 'latin1');
  member.writeUInt32LE(member.length, 16);
  member.writeUInt32LE((raw.rawBytes | (raw.piece ? PIECE : 0)) >>> 0, 20);
  let at = MEMBER_HEADER_BYTES;
  for (const bytes of pieces) at += bytes.copy(member, at);
  member.writeUInt32LE(raw.crc, at);
  member.writeUInt32LE(raw.rawBytes, at + 4);
  return member;
}

/** The header at the start of `bytes`; undefined when it is not ours or there are too few bytes. */
export function readMemberHeader(bytes: Buffer): MemberHeader | undefined {
  if (bytes.length < MEMBER_HEADER_BYTES) return undefined;
  if (
    bytes.toString('latin1', 0, 4) !== '\x1f\x8b\x08\x04' ||
    bytes.toString('latin1', 10, 16) !== '\x0c\0SG\x08\0'
  ) {
    return undefined;
  }
  const memberBytes = bytes.readUInt32LE(16);
  const raw = bytes.readUInt32LE(20);
  const rawBytes = raw % PIECE;
  if (memberBytes < MEMBER_HEADER_BYTES + TRAILER_BYTES || memberBytes > MAX_MEMBER_BYTES) return undefined;
  if (rawBytes > MAX_MEMBER_BYTES) return undefined;
  return { memberBytes, rawBytes, piece: raw >= PIECE };
}
