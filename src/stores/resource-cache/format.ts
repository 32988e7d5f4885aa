/**
 * The binary format of a resource index segment, version 1 (docs/packages.md describes it byte by byte).
 *
 *     keys   n × 36   sha1[20] sha256[0..5] size u48 pack u32         sorted by their bytes
 *     rows   n × 40   sha256[32] offset u48 codec u16                 in the order of the keys
 *     table  b × 16   first six bytes of the first key, 0 0, crc32 of the keys, crc32 of the rows; a block is 2,048 entries
 *     meta   JSON     {"packs":[…],"replaces":[…],"dropped":[…],"condemned":[…]}
 *     foot   32       "STGRIDX1", offset of the table u64, entries u32, bytes of meta u32, crc32 of table + meta, crc32
 *
 * Keys hold all that matching needs, so matching never reads the rows. Everything is little-endian but the parts of
 * keys and table, whose order of bytes is the order of their values.
 */
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { parseSha1, parseSha256, type Sha1, type Sha256 } from '../../words/ids.ts';
import { parseJson } from '../../words/json.ts';

/** Bytes of one key, one row, one line of the table, and the foot. */
export const KEY_BYTES = 36;
export const ROW_BYTES = 40;
const TABLE_BYTES = 16;
export const FOOT_BYTES = 32;
/** Entries of one block: 72 KiB of keys. */
export const BLOCK_ENTRIES = 2_048;
const MAGIC = 'STGRIDX1';
const MAX_META_BYTES = 64 << 20;

/** Where a resource's bytes lie. */
export interface Resource {
  readonly sha1: Sha1;
  readonly sha256: Sha256;
  readonly sizeBytes: number;
  /** Id of the pack. */
  readonly pack: string;
  readonly offset: number;
}

/** A resource as the index has it. */
export interface LocatedResource extends Resource {
  /** Size of the pack. */
  readonly packBytes: number;
}

const id = z.string().regex(/^[0-9a-f]{24}$/);
const metaSchema = z.strictObject({
  version: z.literal(1),
  /** Packs that entries point into, by their number. */
  packs: z.array(z.strictObject({ id, sizeBytes: z.number().int().min(0), atMs: z.number().int() })),
  /** Segments whose entries are all in this one. */
  replaces: z.array(id),
  /** Packs that are gone: entries of any segment that point into them do not count. */
  dropped: z.array(z.strictObject({ id, atMs: z.number().int() })),
  /** Packs that will go: they no longer match, but are still read. */
  condemned: z.array(z.strictObject({ id, atMs: z.number().int() })),
});

/** The readable part of a segment. */
export type SegmentMeta = z.infer<typeof metaSchema>;

/** A block's line in the table. */
export interface BlockLine {
  /** First six bytes of the first key as a number: at most 2^48, so exact. */
  readonly first: number;
  readonly keysCrc: number;
  readonly rowsCrc: number;
}

/** Foot, table and meta. */
export interface SegmentTail {
  readonly entries: number;
  readonly blocks: readonly BlockLine[];
  readonly meta: SegmentMeta;
}

/** Writes one entry's key and row at the start of the two buffers. */
export function encodeEntry(
  entry: Pick<Resource, 'sha1' | 'sha256' | 'sizeBytes' | 'offset'>,
  packNumber: number,
  into: { readonly key: Buffer; readonly row: Buffer },
): void {
  into.key.write(entry.sha1, 0, 20, 'hex');
  into.key.write(entry.sha256.slice(0, 12), 20, 6, 'hex');
  into.key.writeUIntBE(entry.sizeBytes, 26, 6);
  into.key.writeUInt32BE(packNumber, 32);
  into.row.write(entry.sha256, 0, 32, 'hex');
  into.row.writeUIntLE(entry.offset, 32, 6);
  into.row.writeUInt16LE(0, 38);
}

/** The resource that a key and its row describe, or undefined when they contradict each other. */
export function decodeEntry(
  key: Buffer,
  row: Buffer,
  packs: SegmentMeta['packs'],
): LocatedResource | undefined {
  const sha1 = parseSha1(key.toString('hex', 0, 20));
  const sha256 = parseSha256(row.toString('hex', 0, 32));
  const pack = packs[key.readUInt32BE(32)];
  const agree = row.compare(key, 20, 26, 0, 6) === 0 && row.readUInt16LE(38) === 0;
  if (sha1 === undefined || sha256 === undefined || pack === undefined || !agree) return undefined;
  const sizeBytes = key.readUIntBE(26, 6);
  return { sha1, sha256, sizeBytes, pack: pack.id, packBytes: pack.sizeBytes, offset: row.readUIntLE(32, 6) };
}

/** Table, meta and foot. */
export function encodeTail(tail: SegmentTail): Buffer {
  const table = Buffer.alloc(tail.blocks.length * TABLE_BYTES);
  tail.blocks.forEach((block, n) => {
    table.writeUIntBE(block.first, n * TABLE_BYTES, 6);
    table.writeUInt32LE(block.keysCrc, n * TABLE_BYTES + 8);
    table.writeUInt32LE(block.rowsCrc, n * TABLE_BYTES + 12);
  });
  const meta = Buffer.from(JSON.stringify(tail.meta));
  const foot = Buffer.alloc(FOOT_BYTES);
  foot.write(MAGIC, 0, 'latin1');
  foot.writeBigUInt64LE(BigInt(tail.entries) * BigInt(KEY_BYTES + ROW_BYTES), 8);
  foot.writeUInt32LE(tail.entries, 16);
  foot.writeUInt32LE(meta.length, 20);
  foot.writeUInt32LE(crc32(meta, crc32(table)), 24);
  foot.writeUInt32LE(crc32(foot.subarray(0, 28)), 28);
  return Buffer.concat([table, meta, foot]);
}

/** What a segment's foot says of the length of its tail, or why it is not one. */
export function decodeFoot(foot: Buffer, sizeBytes: number): { entries: number; tailBytes: number } | string {
  if (foot.length !== FOOT_BYTES || foot.toString('latin1', 0, 8) !== MAGIC)
    return 'it is not an index of version 1';
  if (crc32(foot.subarray(0, 28)) !== foot.readUInt32LE(28)) return 'the checksum of its foot is wrong';
  const entries = foot.readUInt32LE(16);
  const metaBytes = foot.readUInt32LE(20);
  const tailBytes = Math.ceil(entries / BLOCK_ENTRIES) * TABLE_BYTES + metaBytes + FOOT_BYTES;
  const body = entries * (KEY_BYTES + ROW_BYTES);
  if (metaBytes > MAX_META_BYTES || body + tailBytes !== sizeBytes)
    return 'its lengths contradict each other';
  return { entries, tailBytes };
}

/** Reads a whole tail, or says why it is none. */
export function decodeTail(tail: Buffer): SegmentTail | string {
  const foot = tail.subarray(tail.length - FOOT_BYTES);
  const body = tail.subarray(0, tail.length - FOOT_BYTES);
  if (crc32(body) !== foot.readUInt32LE(24)) return 'the checksum of its table is wrong';
  const entries = foot.readUInt32LE(16);
  const blocks: BlockLine[] = [];
  for (let n = 0; n < Math.ceil(entries / BLOCK_ENTRIES); n++) {
    const at = n * TABLE_BYTES;
    blocks.push({
      first: body.readUIntBE(at, 6),
      keysCrc: body.readUInt32LE(at + 8),
      rowsCrc: body.readUInt32LE(at + 12),
    });
  }
  const text = body.toString('utf8', blocks.length * TABLE_BYTES);
  const meta = metaSchema.safeParse(parseJson(text));
  return meta.success ? { entries, blocks, meta: meta.data } : 'its metadata is not of version 1';
}
