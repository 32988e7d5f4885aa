/** `stager admin export` and `import`: the whole state of a server as one file. */
import { type FileHandle, open } from 'node:fs/promises';
import { ownVersion } from '../../../machine/host/own-package.ts';
import { replaceFileWith } from '../../../machine/host/replace-file.ts';
import { exportState } from '../../../service/backup/export-state.ts';
import { importState } from '../../../service/backup/import-state.ts';
import { errnoOf, StagerError } from '../../../words/errors.ts';
import { formatCount } from '../../../words/units.ts';
import type { Context } from '../input/context.ts';
import { withState } from './admin-place.ts';

/** A file is written aside and has its name when it is whole; `-` is stdout. */
export async function adminExport(context: Context): Promise<number> {
  const { args, flags, output, signal } = context;
  const to = String(args[0]);
  const report = await withState(context, async ({ database, stager }) => {
    const blobs = flags['rowsOnly'] === true ? {} : { blobs: await stager.blobs() };
    const parts = { database, ...blobs, version: ownVersion(), signal };
    if (to === '-') return await exportState(parts, process.stdout);
    return await replaceFileWith(to, (file) => exportState(parts, file), { mode: 0o600 });
  });
  const { rows, blobs, gone, sha256 } = report;
  const went = gone === 0 ? '' : `; ${formatCount(gone, 'blob')} went meanwhile`;
  const said = `exported ${formatCount(rows, 'row')} and ${formatCount(blobs, 'blob')}, sha256 ${sha256}${went}`;
  if (to === '-') output.note(said);
  else if (output.json) output.object({ type: 'exported', file: to, ...report });
  else output.line(said);
  return 0;
}

/** Into an empty database and an empty blobstore. */
export async function adminImport(context: Context): Promise<number> {
  const { args, output, signal } = context;
  const from = String(args[0]);
  // Opened before anything is made: a wrong name leaves no new database behind.
  await using file = from === '-' ? undefined : await openExport(from);
  const source = file?.createReadStream({ autoClose: false }) ?? process.stdin;
  const report = await withState(
    context,
    async ({ database, stager }) =>
      await importState({ database, blobs: await stager.blobs(), signal }, source),
    true,
  );
  if (output.json) output.object({ type: 'imported', ...report });
  else {
    const what = `${formatCount(report.rows, 'row')} and ${formatCount(report.blobs, 'blob')}`;
    output.line(`imported ${what} of ${report.from.at}`);
  }
  return 0;
}

async function openExport(path: string): Promise<FileHandle> {
  const refuse = (why: string, cause?: unknown): StagerError =>
    new StagerError('USAGE', `${path} ${why}`, {
      next: 'Give the file that `stager admin export` wrote, or - for stdin.',
      cause,
    });
  const file = await open(path).catch((cause: unknown) => {
    throw refuse(`can't be read (${errnoOf(cause) ?? String(cause)})`, cause);
  });
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw refuse('is not a file');
}
