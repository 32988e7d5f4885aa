/** Yarn's Plug'n'Play: Node finds packages through files that Yarn wrote, which it has to load first. */
import type { App } from './package-json.ts';

const LOADER = '.pnp.loader.mjs';

/** The file that makes require() find packages; undefined without Plug'n'Play. Yarn 2 calls it .pnp.js. */
export function pnpFile({ files }: Pick<App, 'files'>): '.pnp.cjs' | '.pnp.js' | undefined {
  if (files.has('.pnp.cjs')) return '.pnp.cjs';
  return files.has('.pnp.js') ? '.pnp.js' : undefined;
}

/** Options of Node that an app in `dir` is started with, as `yarn node` does; none without Plug'n'Play. */
export function pnpOptions(app: Pick<App, 'files'>, dir: string): readonly string[] {
  const file = pnpFile(app);
  if (file === undefined) return [];
  const loader = hasLoader(app) ? ['--experimental-loader', `file://${dir}/${LOADER}`] : [];
  return ['--require', `${dir}/${file}`, ...loader];
}

/** Whether import goes through a loader of Yarn's; it writes one for apps that have ES modules. */
export function hasLoader({ files }: Pick<App, 'files'>): boolean {
  return files.has(LOADER);
}

/** A line of a profile script for the app's start, or nothing. */
export function pnpProfile(app: Pick<App, 'files'>): string {
  const options = pnpOptions(app, '$HOME');
  if (options.length === 0) return '';
  return `export NODE_OPTIONS="${options.join(' ')}\${NODE_OPTIONS:+ $NODE_OPTIONS}"\n`;
}
