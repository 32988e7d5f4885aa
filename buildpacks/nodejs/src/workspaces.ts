/** What a repository of several packages says in one place: its members, and versions for all of them. */
import { glob } from 'node:fs/promises';
import { dirname, join, matchesGlob } from 'node:path';
import { z } from 'zod';
import { BuildpackFailure } from '../../kit/index.ts';
import { type App, readText } from './package-json.ts';

const strings = z.record(z.string(), z.string().catch('')).catch({});
const workspaceFile = z.object({
  packages: z.array(z.string()).nullish(),
  overrides: strings.nullish(),
});

/** Directories of the workspaces that are there, relative to the app. */
export async function workspacesOf(app: App): Promise<string[]> {
  const patterns = [...app.json.workspaces, ...((await pnpmWorkspace(app))?.packages ?? [])];
  const clean = patterns.map((pattern) => pattern.replace(/^(!?)\.\//, '$1').replace(/\/+$/, ''));
  const negated = clean.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1));
  const members = new Set<string>();
  for (const pattern of clean) {
    if (pattern.startsWith('!') || pattern === '.' || pattern.startsWith('..') || pattern.startsWith('/'))
      continue;
    const found = glob(`${pattern}/package.json`, {
      cwd: app.dir,
      exclude: (name) => name === 'node_modules' || name.endsWith('/node_modules'),
    });
    for await (const file of found) members.add(dirname(file));
  }
  members.delete('.');
  return [...members].filter((member) => !negated.some((pattern) => matchesGlob(member, pattern))).sort();
}

/** Whether the app says that other versions than those asked for are right. */
export async function replacesVersions(app: App): Promise<boolean> {
  const { overrides, resolutions, pnpm } = app.json;
  if (overrides !== undefined || resolutions !== undefined || pnpm !== undefined) return true;
  return changesPackages(app) || (await pnpmWorkspace(app))?.overrides !== undefined;
}

/** Whether the app has hooks with which pnpm changes what packages ask for. */
export function changesPackages(app: App): boolean {
  return app.files.has('.pnpmfile.cjs') || app.files.has('.pnpmfile.mjs');
}

/** Names that the manager was told to leave out wherever they are asked for (pnpm's override `-`). */
export async function leftOut(app: App): Promise<Set<string>> {
  const overrides = { ...app.json.pnpm?.overrides, ...(await pnpmWorkspace(app))?.overrides };
  const removed = Object.entries(overrides).filter(([, to]) => to === '-');
  return new Set(removed.map(([name]) => name.replace(/^.*>/, '').replace(/(?<=.)@.*$/, '')));
}

async function pnpmWorkspace(app: App): Promise<z.output<typeof workspaceFile> | undefined> {
  const file = 'pnpm-workspace.yaml';
  const text = await readText(join(app.dir, file));
  if (text === undefined) return undefined;
  try {
    const { parse } = await import('yaml');
    return workspaceFile.safeParse(parse(text)).data;
  } catch (cause) {
    throw new BuildpackFailure(`${file} can't be read: it is not YAML`, { cause });
  }
}
