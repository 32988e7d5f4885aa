/** `stager blobs ls|get|put|rm|verify|gc|du`. */
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { appOfDroplet, writeBlobTo } from '../../../staging/droplet/store.ts';
import { collectGarbage, type GcReport } from '../../../staging/package/gc.ts';
import { diskUsage, listBlobNames, listBlobs, verifyBlobs } from '../../../stores/blobs/admin.ts';
import { withLease } from '../../../stores/blobs/lease.ts';
import type { BlobKey, BlobKind, BlobName, BlobStore } from '../../../stores/blobs/port/blob-store.ts';
import { BLOB_KINDS, parseBlobKey, parseBlobKind } from '../../../stores/blobs/port/key.ts';
import { CODES, errnoOf, isStagerError, StagerError, throwIfCancelled } from '../../../words/errors.ts';
import { formatBytes, formatCount, parseDuration } from '../../../words/units.ts';
import type { Context } from '../input/context.ts';
import { table } from '../terminal/table.ts';
import { namePackages } from './blobs-repair.ts';

/** Lists blobs, streaming. */
export async function blobsList(context: Context): Promise<number> {
  const { output, signal } = context;
  const query = { signal, ...queryOf(context) };
  const blobs = await storeOf(context);
  const facts = (blob: BlobName) => ({
    key: nameOf(blob.key),
    sizeBytes: blob.sizeBytes,
    modifiedAt: new Date(blob.modifiedAtMs).toISOString(),
  });
  if (output.json) {
    for await (const blob of listBlobs(blobs, query)) {
      const { sha1, sha256, contentType } = blob;
      output.object({ ...facts(blob), sha1, sha256, contentType });
    }
    return 0;
  }
  for await (const blob of listBlobNames(blobs, query)) {
    const { key, sizeBytes, modifiedAt } = facts(blob);
    output.line(`${modifiedAt}  ${formatBytes(sizeBytes).padStart(9)}  ${key}`);
  }
  return 0;
}

/** Writes one to a file; `-` is stdout. */
export async function blobsGet(context: Context): Promise<number> {
  const [key, file] = [parseBlobKey(word(context, 0)), word(context, 1)];
  const { signal } = context;
  const blobs = await storeOf(context);
  if (file !== '-') await writeBlobTo(file, key, { blobs, signal });
  else await writeOut((await blobs.get(key, { signal })).body, signal);
  return 0;
}

/** Stores a file; `-` is stdin. */
export async function blobsPut(context: Context): Promise<number> {
  const [key, file] = [parseBlobKey(word(context, 0)), word(context, 1)];
  const blobs = await storeOf(context);
  const options = { contentType: 'application/octet-stream', signal: context.signal };
  if (file !== '-') await demandReadable(file);
  const store = () =>
    file === '-' ? blobs.put(key, process.stdin, options) : blobs.putFile(key, file, options);
  const lease = { purpose: `blobs put ${nameOf(key)}`, holds: [key], signal: context.signal };
  const info = await withLease(blobs, lease, store);
  const { sizeBytes, sha1, sha256 } = info;
  if (context.output.json) context.output.object({ location: blobs.location(key), sizeBytes, sha1, sha256 });
  else if (!context.output.quiet)
    context.output.line(`Stored ${formatBytes(sizeBytes)}, sha256 ${sha256}, at ${blobs.location(key)}`);
  return 0;
}

/** Deletes; a key that is not there is said. */
export async function blobsRemove(context: Context): Promise<number> {
  const { signal, output } = context;
  const blobs = await storeOf(context);
  const keys = context.args.flat().map((text) => parseBlobKey(String(text)));
  for (const key of keys) {
    const there = await isThere(blobs, key, signal);
    await blobs.delete(key, { signal });
    const name = nameOf(key);
    if (output.json) output.object({ key: name, deleted: there });
    else if (!output.quiet) output.line(`${there ? 'Deleted' : 'Was not there:'} ${name}`);
  }
  return 0;
}

/** Reads and checks; ends with the status of BLOB_CORRUPT or RESOURCE_MISSING when something is damaged or missing. */
export async function blobsVerify(context: Context): Promise<number> {
  const { output, signal } = context;
  const store = await storeOf(context);
  const report = await verifyBlobs(store, { signal, ...queryOf(context) });
  const packages = context.args[0] === undefined ? await namePackages(context, store) : [];
  if (output.json) output.object({ ...report, packages });
  else {
    for (const { key, location, problem } of report.damaged)
      output.note(`damaged ${nameOf(key)}: ${problem} (${location})`);
    const incomplete = packages.length === 0 ? '' : `, ${formatCount(packages.length, 'package')} incomplete`;
    output.line(
      `Checked ${formatCount(report.checked, 'blob')}, ${formatBytes(report.bytes)}: ${report.damaged.length} damaged${incomplete}`,
    );
    if (packages.length > 0) output.note('`stager blobs repair` recovers what is missing only in the index');
  }
  if (report.damaged.length > 0) return CODES.BLOB_CORRUPT.exit;
  return packages.length === 0 ? 0 : CODES.RESOURCE_MISSING.exit;
}

/** Deletes what retention does not keep. */
export async function blobsGc(context: Context): Promise<number> {
  const { output, signal, flags } = context;
  const dryRun = flags['dryRun'] === true;
  const report = await collectGarbage(await storeOf(context), {
    signal,
    dryRun,
    ...(flags['minAge'] !== undefined && { graceMs: timeOf(String(flags['minAge'])) }),
    keepPackages: countOf(flags['keepPackages'], '--keep-packages'),
    keepDroplets: countOf(flags['keepDroplets'], '--keep-droplets'),
    dropletOwner: async (name) => {
      const app = appOfDroplet(name);
      return app === undefined ? undefined : { app, keep: false };
    },
  });
  if (output.json) output.object({ dryRun, ...report });
  else for (const line of gcLines(report, dryRun)) output.line(line);
  return 0;
}

/** Space by kind. */
export async function blobsUsage(context: Context): Promise<number> {
  const { output, signal } = context;
  const usage = await diskUsage(await storeOf(context), { signal });
  if (output.json) for (const kind of usage) output.object(kind);
  else {
    const rows = usage.map(({ kind, blobs, bytes }) => [
      kind,
      blobs.toLocaleString('en'),
      formatBytes(bytes),
    ]);
    for (const line of table([['kind', 'blobs', 'size'], ...rows])) output.line(line);
  }
  return 0;
}

const nameOf = ({ kind, name }: BlobKey): string => `${kind}/${name}`;

/** To stdout, as fast as its reader takes it; who has read enough may close it. */
async function writeOut(body: Readable, signal: AbortSignal): Promise<void> {
  try {
    await pipeline(body, process.stdout, { signal, end: false });
  } catch (error) {
    throwIfCancelled(signal);
    if (errnoOf(error) !== 'EPIPE') throw error;
  }
}

/** A damaged blob is there. */
async function isThere(blobs: BlobStore, key: BlobKey, signal: AbortSignal): Promise<boolean> {
  try {
    return (await blobs.stat(key, { signal })) !== undefined;
  } catch (error) {
    if (isStagerError(error, 'BLOB_CORRUPT')) return true;
    throw error;
  }
}

async function demandReadable(path: string): Promise<void> {
  try {
    const handle = await open(path, 'r');
    const stat = await handle.stat();
    await handle.close();
    if (stat.isFile()) return;
  } catch (cause) {
    throw new StagerError('USAGE', `${path} can't be read: ${errnoOf(cause) ?? String(cause)}`, {
      next: 'Name a file, or - for the standard input.',
      cause,
    });
  }
  throw new StagerError('USAGE', `${path} is not a regular file`, {
    next: 'Name a file, or - for the standard input.',
  });
}

async function storeOf({ stager }: Context): Promise<BlobStore> {
  return (await stager()).blobs();
}

function word({ args }: Context, index: number): string {
  return String(args[index]);
}

/** `packages`, or `packages/ab` for those whose names begin so. */
function queryOf({ args }: Context): { readonly kinds?: readonly BlobKind[]; readonly prefix?: string } {
  const text = typeof args[0] === 'string' ? args[0] : '';
  if (text === '') return {};
  const slash = text.indexOf('/');
  const kind = parseBlobKind(slash < 0 ? text : text.slice(0, slash));
  if (kind === undefined) {
    throw new StagerError('USAGE', `${JSON.stringify(text)} does not begin with a kind of blob`, {
      next: `Begin with one of ${BLOB_KINDS.join(', ')}, as in packages/0a.`,
    });
  }
  const prefix = slash < 0 ? '' : text.slice(slash + 1);
  return prefix === '' ? { kinds: [kind] } : { kinds: [kind], prefix };
}

function countOf(text: unknown, flag: string): number {
  if (text === undefined) return 5;
  if (typeof text === 'string' && /^\d{1,9}$/.test(text)) return Number(text);
  throw new StagerError('USAGE', `${flag} ${JSON.stringify(text)} is not a number`, {
    next: 'Give a whole number, 0 or more.',
  });
}

function timeOf(text: string): number {
  const milliseconds = parseDuration(text) ?? (text === '0' ? 0 : undefined);
  if (milliseconds !== undefined) return milliseconds;
  throw new StagerError('USAGE', `--min-age ${JSON.stringify(text)} is not a time`, {
    next: 'Write 30m, 24h or 0.',
  });
}

function gcLines(report: GcReport, dryRun: boolean): string[] {
  const verb = dryRun ? 'Would delete' : 'Deleted';
  const names = (keys: readonly BlobKey[]): string[] => keys.map((key) => `  ${nameOf(key)}`);
  return [
    ...names([...report.packages, ...report.droplets]),
    ...report.leftovers.map(({ what, location }) => `  ${what} ${location}`),
    ...report.leases.map((lease) => `kept for a lease: ${lease}`),
    `${verb} ${formatCount(report.packages.length, 'package')}, ${formatCount(report.droplets.length, 'droplet')}, ${formatCount(report.deletedPacks, 'pack')} of resources and ${formatCount(report.leftovers.length, 'leftover')}: ${formatBytes(report.freedBytes)}`,
    ...(report.rewrittenPacks === 0
      ? []
      : [
          `${dryRun ? 'Would rewrite' : 'Rewrote'} what is needed of ${formatCount(report.rewrittenPacks, 'pack')} that ${report.rewrittenPacks === 1 ? 'is' : 'are'} mostly unused, or small`,
        ]),
    ...(report.missingContents === 0
      ? []
      : [
          `${formatCount(report.missingContents, 'content')} that packages need ${report.missingContents === 1 ? 'is' : 'are'} not in the resource cache: run \`stager blobs repair\``,
        ]),
    ...(report.condemnedPacks === 0
      ? []
      : [
          `${formatCount(report.condemnedPacks, 'pack')} more will be deleted once nothing has needed them for the minimum age`,
        ]),
  ];
}
