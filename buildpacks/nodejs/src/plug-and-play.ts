/** Yarn's Plug'n'Play: Node finds packages through files that Yarn wrote, which it has to load first. */
import type { App } from './package-json.ts';

const LOADER = '.pnp.loader.mjs';

/** The file that makes require() find packages; undefined without Plug'n'Play. Yarn 2 calls it .pnp.js. */
export function pnpFile({ files }: Pick<App, 'files'>): '.pnp.cjs' | '.pnp.js' | undefined {
  if (files.has('.pnp.cjs')) return '.pnp.cjs';
  return files.has('.pnp.js') ? '.pnp.js' : undefined;
}

/** A line of a profile script for the app's start, or nothing. import needs the loader, as `yarn node` has it. */
export function pnpProfile(app: Pick<App, 'files'>): string {
  const file = pnpFile(app);
  if (file === undefined) return '';
  const loader = app.files.has(LOADER) ? ` --experimental-loader file://$HOME/${LOADER}` : '';
  return `export NODE_OPTIONS="--require $HOME/${file}${loader}\${NODE_OPTIONS:+ $NODE_OPTIONS}"\n`;
}
