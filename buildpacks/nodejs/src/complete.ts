/** The last word of finalize: an app whose dependencies are not there would die at its start, so it is not staged. */
import { z } from 'zod';
import { type Argv, BuildpackFailure, output, type StepContext } from '../../kit/index.ts';
import { type Looked, lookThrough, type Missing } from './installed.ts';
import type { App } from './package-json.ts';
import { hasLoader, pnpFile, pnpOptions } from './plug-and-play.ts';

const MOST = 20;

/** @throws BuildpackFailure naming what is missing. */
export async function demandDependencies(app: App, context: StepContext): Promise<void> {
  const pnp = pnpFile(app);
  const { missing, unmetPeers } = pnp === undefined ? await lookThrough(app) : await inPnp(app, context);
  if (missing.length === 0) {
    const peers = await unmetPeers();
    if (peers.length === 0) return;
    context.log.warning(
      `Packages ask for others beside them (peerDependencies) that are not there:\n${listed(peers)}\nAdd them to dependencies if the app needs them.`,
    );
    return;
  }
  throw new BuildpackFailure(
    `the app would not start: ${missing.length} of its dependencies ${missing.length === 1 ? 'is' : 'are'} not there\n${listed(missing)}`,
    {
      next:
        'Look for what leaves them out: .cfignore, .npmrc, a script that removes them, a file: or link: path that ' +
        'leads out of the app. If it is meant to be so, set NODE_CHECK_DEPENDENCIES=false.',
    },
  );
}

/** One line for each: name, what is asked for, who asks. */
export function listed(missing: readonly Missing[]): string {
  const lines = missing
    .slice(0, MOST)
    .map(
      ({ name, spec, asker, why }) =>
        `${name} (${spec}), asked for by ${asker}${why === undefined ? '' : `: ${why}`}`,
    );
  const more = missing.length > MOST ? [`and ${missing.length - MOST} more`] : [];
  return [...lines, ...more].join('\n');
}

const NAMES = z.array(z.string());

/** @throws BuildpackFailure where `import` would end with the loader of a Yarn that is older than this Node's hooks. */
async function demandLoader(app: App, context: StepContext): Promise<void> {
  if (!hasLoader(app)) return;
  const argv: Argv = [
    context.dep.at('node/bin/node'),
    ...pnpOptions(app, app.dir),
    '--input-type=module',
    '-e',
    'import.meta.resolve("./package.json")',
  ];
  if ((await output(argv, { cwd: app.dir, env: context.env })).ok) return;
  throw new BuildpackFailure(
    "the app would not start: this Node can't run .pnp.loader.mjs, through which import finds packages",
    {
      next: 'Run yarn set version 3.8.7 (or later) and yarn install, and commit what they change; or set nodeLinker: node-modules.',
    },
  );
}

const inPnp = async (app: App, context: StepContext): Promise<Looked> => ({
  missing: await missingInPnp(app, context),
  unmetPeers: async () => [],
});

/** Yarn's Plug'n'Play knows where a package is; nothing is in node_modules. */
async function missingInPnp(app: App, context: StepContext): Promise<Missing[]> {
  await demandLoader(app, context);
  const optional = app.json.optionalDependencies;
  const wanted = Object.entries(app.json.dependencies).filter(([name]) => !Object.hasOwn(optional, name));
  if (wanted.length === 0) return [];
  const script = `
    const { existsSync } = require('fs'); // Yarn 2 takes node:fs for a package.
    const { resolveToUnqualified } = require('pnpapi');
    const isThere = (name) => {
      try { return existsSync(resolveToUnqualified(name, process.cwd() + '/')); } catch { return false; }
    };
    console.log(JSON.stringify(process.argv.slice(1).filter((name) => !isThere(name))));`;
  const node = context.dep.at('node/bin/node');
  const asked = await output(
    [node, ...pnpOptions(app, app.dir), '-e', script, '--', ...wanted.map(([name]) => name)],
    { cwd: app.dir, env: context.env },
  );
  const names = asked.ok ? NAMES.parse(JSON.parse(asked.stdout)) : wanted.map(([name]) => name);
  return wanted
    .filter(([name]) => names.includes(name))
    .map(([name, spec]) => ({ name, spec, asker: 'package.json' }));
}
