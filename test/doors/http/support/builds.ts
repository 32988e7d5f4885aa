/** Packages and builds for tests of what comes of them. */
import { ZipFile } from 'yazl';
import { type Api, guidIn, type Reply } from './api.ts';

/** A zip with these files. */
export async function zipOf(files: Readonly<Record<string, string>>): Promise<Blob> {
  const zip = new ZipFile();
  for (const [name, text] of Object.entries(files))
    zip.addBuffer(Buffer.from(text), name, { mode: 0o100644 });
  zip.end();
  const pieces: Buffer[] = [];
  for await (const piece of zip.outputStream) pieces.push(Buffer.from(piece));
  return new Blob([Buffer.concat(pieces)]);
}

/** What `cf` sends: a file part, a text part, or both. */
export function form(parts: {
  readonly bits?: Blob;
  readonly name?: string;
  readonly resources?: unknown;
}): FormData {
  const data = new FormData();
  if (parts.resources !== undefined) data.set('resources', JSON.stringify(parts.resources));
  if (parts.bits !== undefined) data.set('bits', parts.bits, parts.name ?? 'package.zip');
  return data;
}

/** A package that waits for its bytes. */
export async function emptyPackage(api: Api, app: string): Promise<string> {
  const body = { type: 'bits', relationships: { app: { data: { guid: app } } } };
  return guidIn(await api.ask('POST', '/v3/packages', { body }));
}

/** A READY package. */
export async function readyPackage(
  api: Api,
  app: string,
  files: Readonly<Record<string, string>> = { 'index.html': 'hello' },
): Promise<string> {
  const guid = await emptyPackage(api, app);
  const reply = await api.ask('POST', `/v3/packages/${guid}/upload`, {
    body: form({ bits: await zipOf(files) }),
  });
  await api.service.jobs.idle();
  if (reply.status !== 200) throw new Error(`no upload: ${reply.text}`);
  return guid;
}

/** Stages a package; the reply is that of the build when it is over. */
export async function staged(api: Api, source: string, fields: object = {}): Promise<Reply> {
  const created = await api.ask('POST', '/v3/builds', { body: { package: { guid: source }, ...fields } });
  const guid = guidIn(created);
  await api.service.staging.worker.idle();
  return await api.ask('GET', `/v3/builds/${guid}`);
}

/** Lets the lifecycle be used, as an admin does with `cf enable-feature-flag`. */
export async function allowLifecycle(api: Api, name: 'docker' | 'cnb', enabled = true): Promise<void> {
  const reply = await api.ask('PATCH', `/v3/feature_flags/diego_${name}`, { body: { enabled } });
  if (reply.status !== 200) throw new Error(reply.text);
}
