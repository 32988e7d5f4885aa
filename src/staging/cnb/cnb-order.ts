/**
 * Orders of buildpacks made flat (buildpack-contracts.md 5.4): a composite buildpack stands for each of its groups in
 * turn, with the rest of the outer group behind it, and for nothing at the end when it is optional. An id that a group
 * has already is left out.
 */
import { StagerError } from '../../words/errors.ts';
import type { CnbDescriptor, GroupEntry } from './cnb-descriptor.ts';

/** A buildpack that can be detected; its order is empty. */
export interface FlatEntry {
  readonly descriptor: CnbDescriptor;
  readonly optional: boolean;
}

/** Finds a buildpack; without a version, the only one of that id. */
export type FindCnb = (id: string, version: string) => CnbDescriptor | undefined;

/** More are a mistake, or an attack. */
const MAX_DEPTH = 20;
const MAX_GROUPS = 10_000;

/** The flat groups of an order, first ones first. @throws StagerError BUILDPACK_NOT_FOUND, BUILDPACK_MALFORMED. */
export function* flatGroups(
  order: readonly (readonly GroupEntry[])[],
  find: FindCnb,
): Generator<readonly FlatEntry[]> {
  let count = 0;
  for (const group of order) {
    for (const flat of expand(group, find, 0)) {
      count += 1;
      if (count > MAX_GROUPS) throw tooMany(`more than ${MAX_GROUPS} groups`);
      yield withoutDoubles(flat);
    }
  }
}

function* expand(
  group: readonly GroupEntry[],
  find: FindCnb,
  depth: number,
): Generator<readonly FlatEntry[]> {
  if (depth > MAX_DEPTH) throw tooMany(`composite buildpacks nested more than ${MAX_DEPTH} deep`);
  const at = group.findIndex((entry) => found(entry, find).order.length > 0);
  const composite = group[at];
  if (composite === undefined) {
    yield group.map((entry) => ({ descriptor: found(entry, find), optional: entry.optional }));
    return;
  }
  const [before, after] = [group.slice(0, at), group.slice(at + 1)];
  for (const inner of found(composite, find).order)
    yield* expand([...before, ...inner, ...after], find, depth + 1);
  if (composite.optional) yield* expand([...before, ...after], find, depth + 1);
}

function withoutDoubles(group: readonly FlatEntry[]): readonly FlatEntry[] {
  const seen = new Set<string>();
  return group.filter(({ descriptor: { id } }) => {
    const first = !seen.has(id);
    seen.add(id);
    return first;
  });
}

function found({ id, version }: GroupEntry, find: FindCnb): CnbDescriptor {
  const descriptor = find(id, version);
  if (descriptor !== undefined) return descriptor;
  throw new StagerError(
    'BUILDPACK_NOT_FOUND',
    `the order names ${id}@${version === '' ? 'any' : version}, which is not there`,
    {
      next: 'Give that buildpack as well, or a package that contains it.',
      details: { id, version },
    },
  );
}

function tooMany(what: string): StagerError {
  return new StagerError('BUILDPACK_MALFORMED', `the order of buildpacks has ${what}`, {
    next: 'Look at the [[order]] of the composite buildpacks.',
  });
}
