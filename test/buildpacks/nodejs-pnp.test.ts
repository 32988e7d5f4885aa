/** What an app that uses Yarn's Plug'n'Play is started with. */
import { expect, it } from 'vitest';
import { pnpFile, pnpProfile } from '../../buildpacks/nodejs/src/plug-and-play.ts';

it.each([
  [['server.js'], undefined, ''],
  [['.pnp.cjs'], '.pnp.cjs', '--require $HOME/.pnp.cjs'],
  [['.pnp.js'], '.pnp.js', '--require $HOME/.pnp.js'],
  [
    ['.pnp.cjs', '.pnp.loader.mjs'],
    '.pnp.cjs',
    '--require $HOME/.pnp.cjs --experimental-loader file://$HOME/.pnp.loader.mjs',
  ],
])('an app with %j', (names, file, options) => {
  const app = { files: new Set(names) };
  expect(pnpFile(app)).toBe(file);
  const line = options === '' ? '' : `export NODE_OPTIONS="${options}\${NODE_OPTIONS:+ $NODE_OPTIONS}"\n`;
  expect(pnpProfile(app)).toBe(line);
});
