/** `stager buildpack package`: a zip of a buildpack, the same bytes each time. */
import { registriesOf } from '../../../config/registries.ts';
import { formatBytes, formatCount } from '../../../words/units.ts';
import { packageBuildpack } from '../../../workshop/package-buildpack.ts';
import type { Context } from '../input/context.ts';

/** Makes the zip and says where it is. */
export async function buildpackPackage(context: Context): Promise<number> {
  const { config, output, signal, args, flags } = context;
  const stager = await context.stager();
  const tell = (text: string): void => {
    if (!output.quiet && !output.json) output.note(text);
  };
  const made = await packageBuildpack({
    dir: String(args[0]),
    signal,
    ...(typeof flags['out'] === 'string' && { out: flags['out'] }),
    ...(config.given.has('stack') && { stack: config.settings.stack }),
    ...(flags['offline'] === true && {
      offline: {
        downloads: await stager.downloadPorts(signal),
        registries: registriesOf(),
        onFetched: ({ name, version, sizeBytes }) => tell(`${name} ${version}, ${formatBytes(sizeBytes)}`),
      },
    }),
    onWarning: (message) => output.note(`warning ${message}`),
  });
  if (output.json) output.object({ type: 'packaged', ...made });
  else {
    output.line(made.file);
    output.line(`${formatCount(made.files, 'file')}, ${formatBytes(made.sizeBytes)}`);
    output.line(`sha256:${made.sha256}`);
  }
  return 0;
}
