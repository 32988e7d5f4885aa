/**
 * What a member's bytes follow from, where all of it is known without opening a file. It is told from the entries alone,
 * so who asks for a member that the cache has need not hand them over: for 111,000 entries that cost more than
 * packing them.
 */
import { hash } from 'node:crypto';
import { isBig, type Member } from '../tar/members.ts';
import type { TreeEntry } from '../tar/tree-walk.ts';
import type { MemberRecipe } from './member-codec.ts';
import type { MemberPacking } from './member-packer.ts';

/** Raise it when the same entries get other headers. */
const ENTRIES = 'entries 2';

/** @returns undefined when a file has to be read, or nothing is kept. */
export function recipeOf(member: Member, { compression, cache }: MemberPacking): MemberRecipe | undefined {
  if (cache === undefined || compression.codec === 'none' || compression.codec === 'digest') return undefined;
  if (member.kind === 'end') return undefined;
  if (member.kind === 'block') {
    const { sha256, offset, length, rawBytes } = member;
    if (sha256 === undefined) return undefined;
    return { digest: hash('sha256', `block ${sha256} ${offset} ${length} ${rawBytes}`), piece: true };
  }
  let text = ENTRIES;
  for (const entry of member.entries) {
    const content = contentOf(entry);
    if (content === undefined) return undefined;
    const { type, mode, size, mtime, name, link, owner, device } = entry;
    const odd = owner === undefined && device === undefined ? '' : JSON.stringify([owner, device]);
    text += `\n${type} ${mode} ${size} ${mtime} ${content} ${odd}\0${name}\0${link}\0`;
  }
  return { digest: hash('sha256', text), piece: false };
}

/** What tells its content; undefined when only reading does. */
function contentOf(entry: TreeEntry): string | undefined {
  // The content of a big file is not a part of this member.
  if (entry.type !== 'file' || isBig(entry)) return '';
  return entry.content === undefined ? entry.sha256 : hash('sha256', entry.content);
}
