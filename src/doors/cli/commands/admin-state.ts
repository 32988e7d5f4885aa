/** `stager admin export` and `import`: the whole state of a server as one file. */
import { createReadStream, createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ownVersion } from '../../../machine/host/own-package.ts';
import { asidePath } from '../../../machine/host/process-label.ts';
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
    const aside = asidePath(to);
    try {
      const file = createWriteStream(aside, { flags: 'wx', mode: 0o600, flush: true });
      const written = await exportState(parts, file);
      await rename(aside, to);
      await using folder = await open(dirname(to), 'r');
      await folder.sync();
      return written;
    } finally {
      await rm(aside, { force: true });
    }
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
  const report = await withState(
    context,
    async ({ database, stager }) => {
      const source = from === '-' ? process.stdin : createReadStream(from);
      return await importState({ database, blobs: await stager.blobs(), signal }, source).catch(
        (error: unknown) => {
          throw errnoOf(error) === 'ENOENT' ? noFile(from, error) : error;
        },
      );
    },
    true,
  );
  if (output.json) output.object({ type: 'imported', ...report });
  else {
    const what = `${formatCount(report.rows, 'row')} and ${formatCount(report.blobs, 'blob')}`;
    output.line(`imported ${what} of ${report.from.at}`);
  }
  return 0;
}

function noFile(path: string, cause: unknown): StagerError {
  return new StagerError('USAGE', `there is no file ${path}`, { next: 'Give the file of an export.', cause });
}
