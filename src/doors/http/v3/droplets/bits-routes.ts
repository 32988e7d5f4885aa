/** The bytes of droplets and packages: uploaded whole, downloaded by a signed address. */
import { z } from 'zod';
import { mayDevelop, mayDownloadDroplet } from '../../../../service/access/may.ts';
import { packageZip } from '../../../../service/builds/package-bits.ts';
import { moveDroplet } from '../../../../service/resources/droplets.ts';
import { parseGuid } from '../../../../words/ids.ts';
import { CfError, notFound, unprocessable } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import type { Grant } from '../../route/downloads.ts';
import { accepted } from '../../route/jobs.ts';
import { LIMITS } from '../../route/limits.ts';
import { ByGuid } from '../../route/params.ts';
import type { HttpService } from '../../route/service.ts';
import { readUpload } from '../../route/upload.ts';
import { dropletEvent, dropletToChange, dropletToRead, shownDroplet } from './find.ts';
import { DropletAnswer } from './schema.ts';

/** Seconds that an address of the blobstore works. */
const LIFE_S = 900;

const upload = route({
  method: 'POST',
  path: '/v3/droplets/:guid/upload',
  summary: 'Upload the bytes of a droplet (bits, a .tgz), stored in a job',
  access: 'signed-in',
  params: ByGuid,
  bodyKind: 'stream',
  bodyLimit: LIMITS.uploadBytes,
  answers: { 202: DropletAnswer },
  handle: async (call) => {
    const { caller, service, request, base } = call;
    const found = await dropletToChange(call, call.params.guid, mayDevelop);
    if (found.state !== 'AWAITING_UPLOAD') throw alreadyUploaded();
    const { spool } = service.staging;
    const uploaded = await readUpload(request, spool);
    try {
      const { bits } = uploaded;
      if (bits === undefined) throw unprocessable("A droplet tgz file must be uploaded as 'bits'");
      if (!/\.(?:tgz|tar\.gz)$/i.test(bits.filename)) {
        throw unprocessable(`Uploaded droplet file is invalid: ${bits.filename.slice(0, 200)} is not a tgz`);
      }
      const change = { from: 'AWAITING_UPLOAD', to: 'PROCESSING_UPLOAD' } as const;
      if (!(await moveDroplet(service.database.queries, found.guid, change))) throw alreadyUploaded();
      await spool.keep(found.guid, { bits: bits.path });
    } finally {
      await uploaded.discard();
    }
    const job = await service.jobs.start('droplet.upload', { guid: found.guid }, caller);
    await service.audit.record(dropletEvent('upload', found, caller));
    return { ...accepted(base, job), body: await shownDroplet(call, found.guid) };
  },
});

const download = route({
  method: 'GET',
  path: '/v3/droplets/:guid/download',
  summary: 'Download a droplet',
  access: 'signed-in',
  params: ByGuid,
  answers: { 302: null },
  handle: async (call) => {
    const { caller, service, base } = call;
    const found = await dropletToRead(call, call.params.guid, mayDownloadDroplet);
    if (found.lifecycle_type === 'docker')
      throw unprocessable("Cannot download droplets with 'docker' lifecycle.");
    if (found.state !== 'STAGED') throw unprocessable('Only staged droplets can be downloaded.');
    if (found.content_key === null) throw notFound('Droplet');
    await service.audit.record(dropletEvent('download', found, caller));
    const { presign } = await service.staging.means.blobs();
    const { signal } = new AbortController();
    const signed = await presign?.get(
      { kind: 'droplets', name: found.content_key },
      { signal, expiresInSeconds: LIFE_S },
    );
    const own = `${base}${service.downloads.path({ kind: 'droplet', guid: found.guid })}`;
    const isPlain = signed !== undefined && Object.keys(signed.headers).length === 0;
    return { status: 302, headers: { location: isPlain ? signed.url : own } };
  },
});

/** Whoever has the address may read. */
const fetchBytes = route({
  method: 'GET',
  path: '/stager/v1/downloads/:token',
  summary: 'Read the bytes that a signed address names',
  access: 'anyone',
  params: z.object({ token: z.string().max(1000) }),
  answers: { 200: 'bytes' },
  handle: async ({ params, service }) => {
    const grant = service.downloads.read(params.token);
    if (grant === undefined)
      throw new CfError('NotAuthorized', 'The address is not valid any more. Ask for another one.');
    return grant.kind === 'droplet' ? await dropletBytes(grant, service) : await packageBytes(grant, service);
  },
});

export const dropletBitsRoutes = [upload, download, fetchBytes];

async function dropletBytes({ guid }: Grant, { database, staging }: HttpService) {
  const row = await database.queries
    .selectFrom('droplets')
    .select('content_key')
    .where('guid', '=', guidOf(guid))
    .executeTakeFirst();
  const name = row?.content_key ?? undefined;
  if (name === undefined) throw notFound('Droplet');
  const { signal } = new AbortController();
  const { info, body } = await (await staging.means.blobs()).get({ kind: 'droplets', name }, { signal });
  return {
    status: 200,
    stream: body,
    headers: {
      'content-type': 'application/gzip',
      'content-length': String(info.sizeBytes),
      'content-disposition': `attachment; filename="droplet_${guid}.tgz"`,
    },
  } as const;
}

async function packageBytes({ guid }: Grant, { database, staging }: HttpService) {
  const row = await database.queries
    .selectFrom('packages')
    .select('content_guid')
    .where('guid', '=', guidOf(guid))
    .executeTakeFirst();
  const content = row?.content_guid ?? undefined;
  if (content === undefined) throw notFound('Package');
  const { signal } = new AbortController();
  return {
    status: 200,
    stream: await packageZip(content, { blobs: await staging.means.blobs(), signal }),
    headers: {
      'content-type': 'application/zip',
      'content-disposition': `attachment; filename="package_${guid}.zip"`,
    },
  } as const;
}

function guidOf(text: string) {
  const guid = parseGuid(text);
  if (guid === undefined) throw notFound('Resource');
  return guid;
}

function alreadyUploaded(): CfError {
  return unprocessable('Droplet may be uploaded only once. Create a new droplet to upload bits.');
}
