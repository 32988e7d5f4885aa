/** `stager buildpack package`: a zip of a buildpack, or a Cloud Native Buildpack, the same bytes each time. */
import { registriesOf } from '../../../config/registries.ts';
import { StagerError } from '../../../words/errors.ts';
import { formatBytes, formatCount } from '../../../words/units.ts';
import type { OfflinePorts } from '../../../workshop/offline.ts';
import { packageBuildpack } from '../../../workshop/package-buildpack.ts';
import type { Context } from '../input/context.ts';
import { KIT } from '../input/kit.ts';

/** Makes the package and says where it is. */
export async function buildpackPackage(context: Context): Promise<number> {
  const { config, output, signal, args, flags } = context;
  const stager = await context.stager();
  const tell = (text: string): void => {
    if (!output.quiet && !output.json) output.note(text);
  };
  const { cnb, id, push, out } = flags;
  if (cnb !== true && (id !== undefined || push !== undefined))
    throw new StagerError('USAGE', '--id and --push are for Cloud Native Buildpacks', { next: 'Add --cnb.' });
  if (out !== undefined && push !== undefined)
    throw new StagerError('USAGE', '--out and --push are two places', { next: 'Leave one of them out.' });
  const ports: OfflinePorts = {
    downloads: await stager.downloadPorts(signal),
    registries: registriesOf(),
    onFetched: ({ name, version, sizeBytes }) => tell(`${name} ${version}, ${formatBytes(sizeBytes)}`),
  };
  const made = await packageBuildpack({
    dir: String(args[0]),
    signal,
    ...(typeof out === 'string' && { out }),
    ...(config.given.has('stack') && { stack: config.settings.stack }),
    ...archOf(flags['arch']),
    ...(flags['offline'] === true && { offline: ports }),
    ...(cnb === true && {
      cnb: {
        ...(typeof id === 'string' && { id }),
        ...(typeof push === 'string' && { push }),
        kit: KIT,
        workspaces: stager.workspaces,
        ports,
        client: await stager.registryClient(signal),
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

function archOf(flag: unknown): { readonly arch?: 'x64' | 'arm64' } {
  if (flag === undefined) return {};
  if (flag === 'x64' || flag === 'arm64') return { arch: flag };
  throw new StagerError('USAGE', `--arch ${String(flag)} is not known`, { next: 'Use x64 or arm64.' });
}
