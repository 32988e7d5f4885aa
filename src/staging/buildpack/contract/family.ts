/** Decides which contract a buildpack follows (buildpack-contracts.md 4.11). */

import { constants } from 'node:fs';
import { open, readdir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { z } from 'zod';
import { readSmall } from '../../../machine/host/read-small.ts';
import { StagerError } from '../../../words/errors.ts';
import { shebangLine } from '../../../words/shebang.ts';
import type { Family } from './contract.ts';
import { cloudNativeRefused, malformed } from './root.ts';
import { readYaml } from './yaml.ts';

/**
 * How a family was found. `ambiguous`: nothing tells v2 and Heroku apart; `both`: it has the scripts of v3 and Heroku's
 * compile. {@link settleFamily} decides on these two.
 */
export type FoundFamily = Family | 'ambiguous' | 'both';

/** The override of `--buildpack-api`. */
export type BuildpackApi = 'cf' | 'heroku';

/**
 * Looks at the files of a buildpack's root.
 *
 * @param key display key, for messages.
 * @param api the user's choice, which beats every sign.
 * @throws StagerError BUILDPACK_MALFORMED for cloud native buildpacks, extensions and broken ones.
 */
export async function findFamily(root: string, key: string, api?: BuildpackApi): Promise<FoundFamily> {
  const signs = await signsOf(root);
  const { bin, toml, isExtension } = signs;
  if (bin.size === 0 && toml?.order !== true && !isExtension) {
    throw malformed(key, (await readdir(root).catch(() => [])).sort());
  }
  if (api === 'heroku') return 'heroku';
  if (api === 'cf') return isV3(signs) ? 'cf-v3' : 'cf-v2';
  refuseCloudNative(key, signs);
  return familyBySigns(signs);
}

/** What the files of a buildpack say. */
interface Signs {
  /** Names in bin/. */
  readonly bin: ReadonlySet<string>;
  /** Of buildpack.toml. */
  readonly toml: { readonly api?: unknown; readonly order: boolean } | undefined;
  readonly isExtension: boolean;
  /** It has a version and a manifest, as Cloud Foundry packages buildpacks, and not the scripts of v3. */
  readonly isCfPackage: boolean;
  /** Its compile script uses what only Heroku gives it. */
  readonly speaksHeroku: boolean;
}

async function signsOf(root: string): Promise<Signs> {
  const [names, toml, isExtension, hasVersion, heroku] = await Promise.all([
    readdir(join(root, 'bin')).catch(() => []),
    buildpackToml(root),
    isFile(join(root, 'extension.toml')),
    isFile(join(root, 'VERSION')),
    speaksHeroku(root),
  ]);
  const bin = new Set(names);
  return {
    bin,
    toml,
    isExtension,
    // Parsing the manifest of a buildpack takes longer than all else here; the scripts of v3 say enough.
    isCfPackage: hasVersion && !isV3({ bin }) && (await hasCfManifest(root)),
    speaksHeroku: heroku,
  };
}

const isV3 = ({ bin }: Pick<Signs, 'bin'>): boolean => bin.has('supply') || bin.has('finalize');

/** From the strongest sign to the weakest. */
function familyBySigns(signs: Signs): FoundFamily {
  const { bin, toml, isCfPackage, speaksHeroku: heroku } = signs;
  if (isV3(signs)) return heroku ? 'both' : 'cf-v3';
  if (isCfPackage) return 'cf-v2';
  if (bin.has('report') || bin.has('test-compile') || bin.has('test')) return 'heroku';
  if (toml !== undefined && toml.api === undefined) return 'heroku';
  return heroku ? 'heroku' : 'ambiguous';
}

/** @throws StagerError BUILDPACK_MALFORMED. */
function refuseCloudNative(key: string, signs: Signs): void {
  const { bin, toml, isExtension } = signs;
  if (toml?.api !== undefined && (bin.has('build') || toml.order)) {
    throw cloudNativeRefused(key);
  }
  if (isExtension)
    throw new StagerError(
      'BUILDPACK_MALFORMED',
      `${key} is a cloud native image extension, not a buildpack`,
      {
        next: 'Leave it out; import a stack that has what it would install (stager stack add).',
        details: { buildpack: key, family: 'cnb' },
      },
    );
  if (!bin.has('build') || bin.has('compile') || familyBySigns(signs) !== 'ambiguous') return;
  throw new StagerError(
    'BUILDPACK_MALFORMED',
    `${key} has bin/build but no buildpack.toml: a broken cloud native buildpack`,
    { next: 'Use a Cloud Foundry or Heroku buildpack.', details: { buildpack: key } },
  );
}

/**
 * Settles buildpacks that fit both contracts: they follow the others of their order when those agree, else the stack
 * (`heroku-…`), else they are Cloud Foundry's.
 */
export function settleFamily(found: FoundFamily, others: readonly FoundFamily[], stack: string): Family {
  if (found !== 'ambiguous' && found !== 'both') return found;
  const cloudFoundry = found === 'both' ? 'cf-v3' : 'cf-v2';
  const decided = others.filter((it) => it !== 'ambiguous' && it !== 'both');
  if (decided.length > 0) return decided.every((it) => it === 'heroku') ? 'heroku' : cloudFoundry;
  return stack.startsWith('heroku-') ? 'heroku' : cloudFoundry;
}

const tomlSchema = z.object({ api: z.unknown().optional(), order: z.array(z.unknown()).optional() });

/** The two facts of buildpack.toml that decide; one that is not TOML counts as having neither. */
async function buildpackToml(root: string): Promise<{ api?: unknown; order: boolean } | undefined> {
  const text = await textOf(root, 'buildpack.toml');
  if (text === undefined) return undefined;
  try {
    const parsed = tomlSchema.safeParse(parseToml(text));
    return { api: parsed.data?.api, order: parsed.data?.order !== undefined };
  } catch {
    return { order: false };
  }
}

async function hasCfManifest(root: string): Promise<boolean> {
  const text = await textOf(root, 'manifest.yml');
  const yaml = text === undefined ? undefined : readYaml(text);
  if (yaml?.ok !== true || typeof yaml.value !== 'object' || yaml.value === null) return false;
  return ['language', 'dependencies', 'include_files'].some((key) => key in Object(yaml.value));
}

/** Weak signs in the text of a compile script. */
async function speaksHeroku(root: string): Promise<boolean> {
  const text = await textOf(root, 'bin/compile');
  if (text === undefined) return false;
  const code = text.replace(/^\s*#.*$/gm, '');
  // `$3` alone is mostly awk's.
  return /\bENV_DIR\b|\benv_dir\b|\$\{?STACK\b|"\$3"|=\$3\b|\$\{3[}:]|\/app\/\.heroku|\/export"?$/m.test(
    code,
  );
}

/** A file's text; undefined when it is absent, too large, or a link that leaves the buildpack. */
async function textOf(root: string, path: string): Promise<string | undefined> {
  const file = await readSmall(join(root, path), root);
  return file.kind === 'text' ? file.text : undefined;
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() === true;
}

/** Whether a script begins like a program of the kernel's or a script; for lint and trace. */
export async function shebangOf(path: string, root: string): Promise<string | undefined> {
  // An earlier script may have put a link out of the workspace there, or a pipe.
  const [real, base] = await Promise.all([path, root].map((it) => realpath(it).catch(() => undefined)));
  if (real === undefined || base === undefined || !real.startsWith(base + sep)) return undefined;
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;
  const file = await open(real, flags).catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(256), 0, 256, 0);
    return shebangLine(buffer.toString('utf8', 0, bytesRead))?.trim();
  } finally {
    await file.close();
  }
}
