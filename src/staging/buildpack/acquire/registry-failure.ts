/** The errors of the registry of installed buildpacks. */
import { StagerError } from '../../../words/errors.ts';
import { BUILDPACK_NAME } from '../contract/reference.ts';
import type { FetchedBuildpack } from './fetch.ts';
import type { IndexEntry } from './registry-index.ts';

/** @throws StagerError USAGE unless `name` can name a buildpack. */
export function checkName(name: string): void {
  if (BUILDPACK_NAME.test(name)) return;
  throw new StagerError('USAGE', `${JSON.stringify(name.slice(0, 300))} can't name a buildpack`, {
    next: 'Use 1 to 250 letters, digits, _ and -.',
    details: { name: name.slice(0, 300), limit: 250 },
  });
}

/** @throws StagerError USAGE unless it is a place in the detect order, from 1. */
export function checkPosition(position: number | undefined): void {
  if (position === undefined || (Number.isInteger(position) && position >= 1)) return;
  throw new StagerError('USAGE', `${position} is not a position`, {
    next: 'A position is a whole number, 1 or more.',
    details: { position },
  });
}

/**
 * The stack of a buildpack that is installed: what its manifest says, or else what was asked for.
 *
 * @throws StagerError BUILDPACK_MALFORMED when the two differ, USAGE for a stack that is not a name.
 */
export function stackOf(fetched: FetchedBuildpack, wanted: string | undefined): string | undefined {
  if (wanted !== undefined && !/^[A-Za-z0-9._-]{1,250}$/.test(wanted)) {
    throw new StagerError('USAGE', `${JSON.stringify(wanted.slice(0, 300))} can't name a stack`, {
      next: 'Use 1 to 250 letters, digits, dots, _ and -.',
      details: { stack: wanted.slice(0, 300), limit: 250 },
    });
  }
  if (wanted === undefined || fetched.stack === undefined || fetched.stack === wanted) {
    return fetched.stack ?? wanted;
  }
  throw new StagerError(
    'BUILDPACK_MALFORMED',
    `buildpack ${fetched.key} is for stack ${fetched.stack}, as its manifest.yml says, not for ${wanted}`,
    {
      next: 'Leave out --stack, or use the package of the buildpack for that stack.',
      details: { buildpack: fetched.key, stack: wanted, manifestStack: fetched.stack },
    },
  );
}

/** @throws StagerError BUILDPACK_MALFORMED when new files are for another stack than the old ones. */
export function demandSameStack(old: IndexEntry, fetched: FetchedBuildpack): void {
  if (old.stack === undefined || fetched.stack === undefined || old.stack === fetched.stack) return;
  throw new StagerError(
    'BUILDPACK_MALFORMED',
    `buildpack ${old.name} is for stack ${old.stack}, the new files are for ${fetched.stack}; a stack can't change`,
    {
      next: `Install them beside it with \`stager buildpack add ${old.name} ${fetched.key}\`.`,
      details: { buildpack: old.name, stack: old.stack, newStack: fetched.stack },
    },
  );
}

/** New files for a buildpack that is locked. */
export function lockedBits(name: string): StagerError {
  return new StagerError('BUILDPACK_LOCKED', `buildpack ${name} is locked: its files can't be replaced`, {
    next: `Unlock it with \`stager buildpack update ${name} --unlock\`.`,
    details: { buildpack: name },
  });
}

/** A second buildpack of one name and stack. */
export function taken(name: string, stack: string | undefined): StagerError {
  const where = stack === undefined ? 'without a stack' : `for stack ${stack}`;
  return new StagerError('BUILDPACK_NAME_TAKEN', `a buildpack ${name} ${where} is installed already`, {
    next: `Replace its files with \`stager buildpack update ${name} REF\`.`,
    details: { buildpack: name, ...(stack !== undefined && { stack }) },
  });
}

/** A name, or a name and stack, that nothing is installed under; says what is. */
export function notInstalled(
  name: string,
  facts: {
    readonly stack?: string;
    readonly stacks: readonly string[];
    readonly installed: readonly string[];
  } = {
    stacks: [],
    installed: [],
  },
): StagerError {
  const { stack, stacks } = facts;
  const but = stacks.length > 0 ? `; it is installed for ${stacks.join(', ')}` : '';
  const where = stack === undefined ? '' : ` for stack ${stack}`;
  const known =
    facts.installed.length === 0 ? '' : ` (installed: ${[...new Set(facts.installed)].join(', ')})`;
  return new StagerError('BUILDPACK_NOT_FOUND', `no buildpack ${name} is installed${where}${but}${known}`, {
    next: 'See `stager buildpack list`; write a directory with a slash, as in ./dir.',
    details: { buildpack: name, ...(stack !== undefined && { stack }), stacks },
  });
}

/** A name that stands for several stacks where one has to be meant. */
export function ambiguous(name: string, stacks: readonly string[]): StagerError {
  return new StagerError('USAGE', `buildpack ${name} is installed for several stacks: ${stacks.join(', ')}`, {
    next: 'Choose one with --stack.',
    details: { buildpack: name, stacks },
  });
}

/** A buildpack that was asked for by name while it is disabled. */
export function disabled(entry: { readonly name: string; readonly stack?: string }): StagerError {
  return new StagerError('BUILDPACK_DISABLED', `buildpack ${entry.name} is disabled`, {
    next: `Enable it with \`stager buildpack update ${entry.name} --enable\`.`,
    details: { buildpack: entry.name, ...(entry.stack !== undefined && { stack: entry.stack }) },
  });
}

/** An entry of the registry whose tree the store no longer has. */
export function filesGone(
  { name, digest, source }: { readonly name: string; readonly digest: string; readonly source: string },
  why: string,
): StagerError {
  return new StagerError('BUILDPACK_NOT_FOUND', `the files of buildpack ${name} are gone: ${why}`, {
    next: `Install them again with \`stager buildpack update ${name} REF\`; they came from ${source}.`,
    details: { buildpack: name, digest, source },
  });
}
