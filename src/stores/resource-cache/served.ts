/** Chooses the pack for a content that several packs have. */
import { CONTENT_BYTES, inKeyOrder, sameContent } from './key-order.ts';
import type { StoreAccess } from './segment.ts';
import type { Snapshot } from './snapshot.ts';

/** A content of the index. */
export interface ServedContent {
  /** sha1, six bytes of sha256, size, as in a key. */
  readonly content: Buffer;
  /** Id of the pack. */
  readonly pack: string;
}

/**
 * Every content once, with the pack that serves it: one that still matches if there is one, and of several the one
 * with the least id. So collections that run at the same time agree, and don't delete one copy each.
 */
export async function* servedContents(
  io: StoreAccess,
  { segments, dropped, condemned }: Snapshot,
): AsyncGenerator<ServedContent, void, void> {
  let last: { readonly content: Buffer; pack: string } | undefined;
  for await (const { source, key } of inKeyOrder(io, segments)) {
    const pack = segments[source]?.meta.packs[key.readUInt32BE(CONTENT_BYTES)]?.id;
    if (pack === undefined || dropped.has(pack)) continue;
    if (last === undefined || !sameContent(key, last.content)) {
      if (last !== undefined) yield last;
      last = { content: Buffer.from(key.subarray(0, CONTENT_BYTES)), pack };
    } else if (
      condemned.has(pack) === condemned.has(last.pack) ? pack < last.pack : condemned.has(last.pack)
    ) {
      last.pack = pack;
    }
  }
  if (last !== undefined) yield last;
}

/** Size of a content in bytes. */
export const sizeOfContent = (content: Buffer): number => content.readUIntBE(26, 6);
