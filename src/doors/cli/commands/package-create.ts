/** `stager package create`: stores an app, sending only what the resource cache lacks. */
import { storePackage } from '../../../staging/package/create.ts';
import { appIdentity } from '../../../staging/request/request.ts';
import { openSource } from '../../../staging/source/open.ts';
import { formatBytes, formatDuration } from '../../../words/units.ts';
import type { Context } from '../input/context.ts';
import { createStatusLine } from '../terminal/status-line.ts';
import { table } from '../terminal/table.ts';

/** Creates a package and says what happened. */
export async function packageCreate(context: Context): Promise<number> {
  const { config, output, args, signal } = context;
  const { settings } = config;
  const path = typeof args[0] === 'string' ? args[0] : '.';
  const startedAt = performance.now();
  const source = await openSource(path, { ignoreStyle: settings.ignoreStyle });
  const app = await appIdentity(path, settings.appName);
  const stager = await context.stager();
  const store = await stager.blobs();
  const status = await createStatusLine(output);
  const created = await storePackage(source, {
    store,
    signal,
    app: app.guid,
    statCachePath: stager.statCache(app.guid),
    onProgress: (progress) =>
      status.show(
        progress.step === 'send'
          ? `sending ${formatBytes(progress.bytes)} of ${formatBytes(progress.totalBytes)}`
          : `reading ${progress.files.toLocaleString('en')} files`,
      ),
  });
  status.clear();
  const durationMs = Math.round(performance.now() - startedAt);
  if (output.json) output.object({ type: 'package-created', app, durationMs, ...created });
  if (output.json || output.quiet) return 0;
  output.line(`Created package ${created.guid} of ${app.name} in ${formatDuration(durationMs)}`);
  const rows = [
    ['files', created.files.toLocaleString('en'), formatBytes(created.bytes)],
    ['matched', created.matchedFiles.toLocaleString('en'), formatBytes(created.matchedBytes)],
    ['sent', created.sentFiles.toLocaleString('en'), formatBytes(created.sentBytes)],
    ['not read again', created.unreadFiles.toLocaleString('en'), ''],
    ['listing', '', formatBytes(created.listingBytes)],
  ];
  for (const line of table(rows, '  ')) output.line(line);
  output.line(`Stage it: stager stage --package ${created.guid}`);
  return 0;
}
