/** The bytes of packages: uploaded in parts, downloaded as a zip, matched. */
import { z } from 'zod';
import { isAdmin } from '../../../../service/access/caller.ts';
import { mayDevelop, mayReadSecrets } from '../../../../service/access/may.ts';
import { matchableSpaces, movePackage } from '../../../../service/resources/packages.ts';
import type { Fingerprint } from '../../../../stores/resource-cache/lookup.ts';
import { Pool } from '../../../../stores/resource-cache/pool.ts';
import { parseSha1 } from '../../../../words/ids.ts';
import { CfError, unprocessable } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { LIMITS } from '../../route/limits.ts';
import { ByGuid } from '../../route/params.ts';
import type { Call } from '../../route/route.ts';
import { readUpload } from '../../route/upload.ts';
import { packageEvent, packageToChange, packageToRead, visiblePackage } from './find.ts';
import { presentPackage } from './present.ts';
import { MatchAnswer, MatchInput, OwnMatchAnswer, OwnMatchInput, PackageAnswer } from './schema.ts';

/** Milliseconds. Whoever uploads waits this long for READY: most are done by then, and need not ask again. */
const WAIT_MS = 10_000;
/** Spaces whose bytes are looked through. */
const MOST_SPACES = 20;
/** Bytes; Cloud Controller's own bounds. Smaller files cost less to send than to ask for. */
const LEAST_SIZE = 65_536;
const MOST_SIZE = 536_870_912;
const LEAST_MODE = 0o600;

const upload = route({
  method: 'POST',
  path: '/v3/packages/:guid/upload',
  summary: 'Upload the bytes of a package: a zip (bits), files that matched (resources), or both',
  access: 'signed-in',
  params: ByGuid,
  bodyKind: 'stream',
  bodyLimit: LIMITS.uploadBytes,
  answers: { 200: PackageAnswer },
  handle: async (call) => {
    const { caller, service, request, base } = call;
    const { queries } = service.database;
    const found = await packageToChange(call, call.params.guid, mayDevelop);
    if (found.type !== 'bits') throw unprocessable('Package type must be bits.');
    if (found.state !== 'AWAITING_UPLOAD') throw alreadyUploaded();
    const { spool } = service.staging;
    const uploaded = await readUpload(request, spool);
    try {
      const { bits, resources } = uploaded;
      if (bits === undefined && resources === undefined)
        throw unprocessable('Upload must include either resources or bits');
      checkResources(resources);
      // Whoever is first has the package. Without a job, the next start gives it back.
      const change = { from: 'AWAITING_UPLOAD', to: 'PROCESSING_UPLOAD' } as const;
      if (!(await movePackage(queries, found.guid, change))) throw alreadyUploaded();
      await spool.keep(found.guid, {
        ...(bits !== undefined && { bits: bits.path }),
        ...(resources !== undefined && { resources }),
      });
    } finally {
      await uploaded.discard();
    }
    const from = await spacesOf(call);
    const job = await service.jobs.start('package.upload', { guid: found.guid, from }, caller);
    await service.jobs.settled(job, WAIT_MS);
    await service.jobs.start('app.expire', { guid: found.app_guid }, caller);
    await service.audit.record(packageEvent('upload', found, caller));
    return { status: 200, body: presentPackage(await visiblePackage(call, found.guid), base) };
  },
});

const download = route({
  method: 'GET',
  path: '/v3/packages/:guid/download',
  summary: 'Download a package as a zip',
  access: 'signed-in',
  params: ByGuid,
  answers: { 302: null },
  handle: async (call) => {
    const found = await packageToRead(call, call.params.guid, mayReadSecrets);
    if (found.type !== 'bits') throw unprocessable('Package type must be bits.');
    if (found.state !== 'READY' || found.content_guid === null) {
      throw unprocessable('Package has no bits to download.');
    }
    await call.service.audit.record(packageEvent('download', found, call.caller));
    const path = call.service.downloads.path({ kind: 'package', guid: found.guid });
    return { status: 302, headers: { location: `${call.base}${path}` } };
  },
});

const match = route({
  method: 'POST',
  path: '/v3/resource_matches',
  summary: 'Say which files need not be sent, since one of your spaces has stored them',
  access: 'signed-in',
  body: MatchInput,
  bodyLimit: LIMITS.matchBytes,
  answers: { 201: MatchAnswer },
  handle: async (call) => {
    const eligible = call.body.resources.flatMap((entry) => {
      const sha1 = parseSha1(entry.checksum.value);
      const fits = entry.size_in_bytes >= LEAST_SIZE && entry.size_in_bytes <= MOST_SIZE;
      const isOpen = entry.mode === undefined || Number.parseInt(entry.mode, 8) >= LEAST_MODE;
      return sha1 !== undefined && fits && isOpen ? [{ entry, sha1, sizeBytes: entry.size_in_bytes }] : [];
    });
    const known = await storedOf(call, eligible);
    return { status: 201, body: { resources: known.map(({ entry }) => entry) } };
  },
});

const ownMatch = route({
  method: 'POST',
  path: '/stager/v1/resource_matches',
  summary:
    'As /v3/resource_matches, for files of every size: a list of sha1 and size, answered with positions',
  access: 'signed-in',
  body: OwnMatchInput,
  bodyLimit: LIMITS.matchBytes,
  answers: { 201: OwnMatchAnswer },
  handle: async (call) => {
    const asked = call.body.files.flatMap((file, index) => {
      const sha1 = parseSha1(file.sha1);
      return sha1 === undefined ? [] : [{ sha1, sizeBytes: file.size, index }];
    });
    const known = await storedOf(call, asked);
    return { status: 201, body: { known: known.map(({ index }) => index) } };
  },
});

export const packageBitsRoutes = [upload, download, match, ownMatch];

/** Those whose contents a space has stored in which the caller is a developer. */
async function storedOf<Asked extends Fingerprint>(
  call: Pick<Call<unknown, unknown, unknown>, 'caller' | 'service'>,
  asked: readonly Asked[],
): Promise<readonly Asked[]> {
  const store = await call.service.staging.means.blobs();
  const { signal } = new AbortController();
  const known: Asked[] = [];
  let open = asked;
  for (const tenant of asked.length === 0 ? [] : await spacesOf(call)) {
    const hits = await new Pool(store, tenant).match(open, { signal });
    known.push(...open.filter((_, index) => hits[index] === true));
    open = open.filter((_, index) => hits[index] !== true);
    if (open.length === 0) break;
  }
  call.service.staging.metrics.matched(asked, known);
  return known;
}

async function spacesOf({ caller, service }: Pick<Call<unknown, unknown, unknown>, 'caller' | 'service'>) {
  const bounds = { everywhere: isAdmin(caller), most: MOST_SPACES };
  return await matchableSpaces(service.database.queries, caller, bounds);
}

function alreadyUploaded(): CfError {
  return new CfError(
    'PackageBitsAlreadyUploaded',
    'Bits may be uploaded only once. Create a new package to upload different bits.',
  );
}

function checkResources(text: string | undefined): void {
  if (text === undefined) return;
  const parsed = z.string().transform((json, context) => {
    try {
      const value: unknown = JSON.parse(json);
      return value;
    } catch {
      context.addIssue('not JSON');
      return z.NEVER;
    }
  });
  if (!parsed.pipe(z.array(z.unknown())).safeParse(text).success)
    throw unprocessable('Resources must be an array');
}
