/** A manifest on disk → its apps and where their sources are. */
import { stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { StagerError } from '../../words/errors.ts';
import { readInput } from '../request/request.ts';
import { type NamedApp, readManifest } from './read.ts';
import { type ManifestVariables, parseVariable, parseVariables } from './variables.ts';

/** Which manifest, and how it is filled in. */
export interface ManifestChoice {
  /** The file, or the directory that holds it, as for the cf client. */
  readonly manifest: string;
  /** `NAME=VALUE` texts; they win over the files. */
  readonly vars?: readonly string[];
  /** A later file wins over an earlier one, as in cf push. */
  readonly varsFiles?: readonly string[];
  /** Only this app of several. */
  readonly appName?: string;
}

/** The apps of a manifest. */
export interface OpenManifest {
  readonly file: string;
  /** `source` is absolute, and was not checked to exist. */
  readonly apps: readonly { readonly app: NamedApp; readonly source: string }[];
  /** Sentences about the file as a whole. */
  readonly warnings: readonly string[];
}

/**
 * Reads the manifest and its variables.
 *
 * @throws StagerError MANIFEST_INVALID, CONFIG_INVALID.
 */
export async function openManifest(choice: ManifestChoice): Promise<OpenManifest> {
  const file = await manifestFile(choice.manifest);
  const { apps, warnings } = readManifest({
    file,
    text: await readInput(file, 'manifest'),
    variables: await variables(choice),
    ...(choice.appName !== undefined && { appName: choice.appName }),
  });
  return {
    file,
    apps: apps.map((app) => ({ app, source: resolve(dirname(file), app.path ?? '.') })),
    warnings,
  };
}

/** @throws StagerError SOURCE_NOT_FOUND. Ask for all apps before the first one is staged: that can take long. */
export async function demandSource(source: string, { name }: NamedApp): Promise<void> {
  if (await isThere(source)) return;
  throw new StagerError('SOURCE_NOT_FOUND', `${source}, the path of application ${name}, does not exist`, {
    next: 'Correct its path in the manifest; it is relative to the manifest.',
    details: { path: source, application: name },
  });
}

async function manifestFile(path: string): Promise<string> {
  const isDirectory = await stat(path)
    .then((facts) => facts.isDirectory())
    .catch(() => false);
  if (!isDirectory) return path;
  const [yml, yaml] = [join(path, 'manifest.yml'), join(path, 'manifest.yaml')];
  return (await isThere(yml)) || !(await isThere(yaml)) ? yml : yaml;
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

async function variables({ vars, varsFiles }: ManifestChoice): Promise<ManifestVariables> {
  let merged: ManifestVariables = {};
  for (const file of varsFiles ?? []) {
    merged = { ...merged, ...parseVariables(await readInput(file, 'variables file'), file) };
  }
  for (const pair of vars ?? []) merged = { ...merged, ...parseVariable(pair) };
  return merged;
}
