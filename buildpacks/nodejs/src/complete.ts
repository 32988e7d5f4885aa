/** The last word of finalize: an app whose dependencies are not there would die at its start, so it is not staged. */
import { join } from 'node:path';
import { z } from 'zod';
import { BuildpackFailure, output, type StepContext } from '../../kit/index.ts';
import { type Missing, missingDependencies, unmetPeers } from './installed.ts';
import type { App } from './package-json.ts';
import { pnpFile } from './plug-and-play.ts';

const MOST = 20;

/** @throws BuildpackFailure naming what is missing. */
export async function demandDependencies(app: App, context: StepContext): Promise<void> {
  const pnp = pnpFile(app);
  const missing =
    pnp === undefined ? await missingDependencies(app) : await missingInPnp(app, { context, pnp });
  if (missing.length === 0) {
    const peers = pnp === undefined ? await unmetPeers(app) : [];
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

/** Yarn's Plug'n'Play knows where a package is; nothing is in node_modules. */
async function missingInPnp(
  app: App,
  { context, pnp }: { readonly context: StepContext; readonly pnp: string },
): Promise<Missing[]> {
  const optional = app.json.optionalDependencies;
  const wanted = Object.entries(app.json.dependencies).filter(([name]) => !Object.hasOwn(optional, name));
  if (wanted.length === 0) return [];
  const script = `
    const { existsSync } = require('node:fs');
    const { resolveToUnqualified } = require('pnpapi');
    const isThere = (name) => {
      try { return existsSync(resolveToUnqualified(name, process.cwd() + '/')); } catch { return false; }
    };
    console.log(JSON.stringify(process.argv.slice(1).filter((name) => !isThere(name))));`;
  const node = context.dep.at('node/bin/node');
  const asked = await output(
    [node, '--require', join(app.dir, pnp), '-e', script, '--', ...wanted.map(([name]) => name)],
    { cwd: app.dir, env: context.env },
  );
  const names = asked.ok ? NAMES.parse(JSON.parse(asked.stdout)) : wanted.map(([name]) => name);
  return wanted
    .filter(([name]) => names.includes(name))
    .map(([name, spec]) => ({ name, spec, asker: 'package.json' }));
}
