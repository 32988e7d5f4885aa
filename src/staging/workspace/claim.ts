/**
 * Who owns a workspace: `GUID.lock` beside the directory `GUID`. It is there before the directory is made and
 * is removed after the directory, so a directory without a claim is one that was kept on request.
 */
import { link, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { processIdentitySchema } from '../../machine/host/identity-schema.ts';
import { namesIn } from '../../machine/host/names-in.ts';
import { lifeOf, ownIdentity } from '../../machine/host/process-identity.ts';
import { asidePath } from '../../machine/host/process-label.ts';
import { errnoOf } from '../../words/errors.ts';
import { type Guid, parseGuid } from '../../words/ids.ts';
import { parseJson } from '../../words/json.ts';

const SUFFIX = '.lock';
const UNFINISHED = '.lock-new';
/** A claim is written in a moment; one that is unfinished for an hour was left by a crash. */
const UNFINISHED_MS = 3_600_000;

/** Writes the claim of this process; readers see all of it or nothing. Fails with EEXIST when there is one. */
export async function writeClaim(parent: string, guid: Guid): Promise<void> {
  const aside = asidePath(join(parent, `.${guid}`));
  try {
    await writeFile(aside, JSON.stringify(ownIdentity()), { flag: 'wx', mode: 0o600 });
    await link(aside, join(parent, `${guid}${SUFFIX}`));
  } finally {
    await rm(aside, { force: true }).catch(() => undefined);
  }
}

/** Removes the claim; missing is fine. */
export async function removeClaim(parent: string, guid: Guid): Promise<void> {
  await rm(join(parent, `${guid}${SUFFIX}`), { force: true });
}

/** Whether the workspace has a claim whose owner is not known to be dead. */
export async function isOwned(parent: string, guid: Guid): Promise<boolean> {
  const path = join(parent, `${guid}${SUFFIX}`);
  const facts = await stat(path).catch(() => undefined);
  return facts !== undefined && !(await ownerIsDead(path));
}

/** Guids of workspaces whose owner is dead. Removes unfinished claims that a crash left. */
export async function deadWorkspaces(parent: string, now: number): Promise<Guid[]> {
  const dead: Guid[] = [];
  for (const name of await namesIn(parent)) {
    if (name.endsWith(UNFINISHED)) await removeUnfinished(join(parent, name), now);
    if (!name.endsWith(SUFFIX)) continue;
    const guid = parseGuid(name.slice(0, -SUFFIX.length));
    if (guid !== undefined && (await ownerIsDead(join(parent, name)))) dead.push(guid);
  }
  return dead;
}

async function ownerIsDead(claimPath: string): Promise<boolean> {
  let text: string;
  try {
    text = await readFile(claimPath, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
  const owner = processIdentitySchema.safeParse(parseJson(text));
  // A claim is put in place whole, but a power cut can leave it empty: then its writer is gone as well.
  return owner.success ? lifeOf(owner.data) === 'dead' : text === '';
}

async function removeUnfinished(path: string, now: number): Promise<void> {
  const seen = await stat(path).catch(() => undefined);
  if (seen !== undefined && now - seen.mtimeMs > UNFINISHED_MS) await rm(path, { force: true });
}
