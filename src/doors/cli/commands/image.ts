/** `stager image build|rebase`. */
import { resolve } from 'node:path';
import { demandOutputFile } from '../../../machine/host/output-file.ts';
import { ownVersion } from '../../../machine/host/own-package.ts';
import {
  type BuiltImage,
  type ImageDestination,
  type ImageWish,
  packImage,
} from '../../../staging/build-image.ts';
import { moveToBase } from '../../../staging/rebase-image.ts';
import { parseImageReference } from '../../../stores/registry/reference.ts';
import { StagerError } from '../../../words/errors.ts';
import { formatBytes, formatCount } from '../../../words/units.ts';
import type { Context } from '../input/context.ts';

/** Makes an image of a droplet. */
export async function imageBuild(context: Context): Promise<number> {
  const { args, flags, config, signal } = context;
  const tag = textOf(flags['tag']);
  if (tag === undefined) throw usage('an image needs a name', 'Give one with --tag REGISTRY/REPOSITORY:TAG.');
  const to = await destination(context);
  if (to === undefined)
    throw usage(
      'it is not clear where the image should go',
      'Give --push, --output FILE or --load-into DIR.',
    );
  const base = textOf(flags['base']);
  const launcher = textOf(flags['launcher']);
  const process = textOf(flags['process']);
  const mirrors = textOf(flags['baseMirrors'])?.split(',');
  const stager = await context.stager();
  const wish: ImageWish = {
    ...(typeof args[0] === 'string' && { droplet: args[0] }),
    target: parseImageReference(tag),
    ...(base !== undefined && { base }),
    ...(process !== undefined && { process }),
    ...(launcher !== undefined && { launcher: resolve(launcher) }),
    ...(mirrors !== undefined && { mirrors }),
    to,
    sourceDateEpoch: config.sourceDateEpoch,
    version: ownVersion(),
  };
  show(context, await packImage(wish, await stager.imagePorts(signal), { signal }));
  return 0;
}

/** Puts an image on another base. */
export async function imageRebase(context: Context): Promise<number> {
  const { args, flags, config, signal } = context;
  const image = String(args[0]);
  const base = textOf(flags['base']);
  if (base === undefined) throw usage('rebase needs a new base', 'Name it with --base.');
  const target = parseImageReference(textOf(flags['tag']) ?? image);
  const stager = await context.stager();
  const client = await stager.registryClient(signal);
  const to = (await destination(context)) ?? { kind: 'push' };
  const force = flags['force'] === true;
  const wish = { image, base, target, to, force, sourceDateEpoch: config.sourceDateEpoch };
  show(context, await moveToBase(wish, { client, clock: stager.clock, signal }));
  return 0;
}

async function destination({ flags }: Context): Promise<ImageDestination | undefined> {
  const [file, directory] = [textOf(flags['output']), textOf(flags['loadInto'])];
  const given = [flags['push'] === true, file !== undefined, directory !== undefined].filter(Boolean).length;
  if (given > 1)
    throw usage(
      'an image can go to only one place at a time',
      'Give one of --push, --output and --load-into.',
    );
  if (directory !== undefined) return { kind: 'layout', directory: resolve(directory) };
  if (file === undefined) return flags['push'] === true ? { kind: 'push' } : undefined;
  await demandOutputFile(file);
  return { kind: 'tar', file: resolve(file) };
}

function show({ output }: Context, built: BuiltImage): void {
  if (output.json) output.object({ type: 'image', ...built });
  for (const warning of built.warnings ?? []) output.note(`warning ${warning}`);
  if (output.json || output.quiet) return;
  for (const { title, size } of built.layers) output.note(`${formatBytes(size).padStart(10)}  ${title}`);
  const { pushed } = built;
  if (pushed !== undefined) {
    const there = pushed.present + pushed.mounted;
    output.note(
      `sent ${formatCount(pushed.uploaded, 'blob')}, ${formatBytes(pushed.uploadedBytes)}; ${there} were there already`,
    );
  }
  output.line(built.name);
  output.line(built.digest);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function usage(what: string, next: string): StagerError {
  return new StagerError('USAGE', what, { next });
}
