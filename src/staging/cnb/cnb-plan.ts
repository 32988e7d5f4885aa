/** The build plan: what detect scripts provide and require, and which of them fit together (buildpack-contracts.md 5.5). */
import { z } from 'zod';
import { parseToml } from './cnb-toml.ts';

/** One thing that is required. */
export interface PlanRequire {
  readonly name: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** One alternative of a buildpack. */
export interface PlanSection {
  readonly provides: readonly string[];
  readonly requires: readonly PlanRequire[];
}

/** What a buildpack that passed wants. */
export interface Passed<T> {
  readonly who: T;
  readonly optional: boolean;
  /** Top level first, then each `or`. */
  readonly sections: readonly PlanSection[];
}

/** One name of the plan: who provides it, and what was asked of it. */
export interface PlanEntry<T> {
  readonly name: string;
  readonly providers: readonly T[];
  readonly requires: readonly PlanRequire[];
}

/** Who builds, with which plan. */
export interface ResolvedPlan<T> {
  readonly group: readonly T[];
  readonly entries: readonly PlanEntry<T>[];
}

const Metadata = z.record(z.string(), z.unknown()).default({});
const Section = z.looseObject({
  provides: z.array(z.looseObject({ name: z.string() })).default([]),
  requires: z
    .array(
      z
        .looseObject({ name: z.string(), metadata: Metadata })
        .refine((it) => !('version' in it), 'has a version outside metadata'),
    )
    .default([]),
});
const Plan = Section.extend({ or: z.array(Section).default([]) });

/** The sections of what a detect script wrote, or why it is not a plan. */
export function readPlan(
  text: string,
):
  | { readonly ok: true; readonly sections: readonly PlanSection[] }
  | { readonly ok: false; readonly reason: string } {
  const read = parseToml(text);
  if (!read.ok) return read;
  const parsed = Plan.safeParse(read.value);
  if (!parsed.success) return { ok: false, reason: z.prettifyError(parsed.error) };
  const sections = [parsed.data, ...parsed.data.or].map(({ provides, requires }) => ({
    provides: provides.map(({ name }) => name),
    requires: requires.map(({ name, metadata }) => ({ name, metadata })),
  }));
  return { ok: true, sections };
}

/** More combinations than anybody writes; a plan of many alternatives could ask for an age. */
const MAX_TRIALS = 100_000;

/** The first combination of alternatives that fits, left to right, depth first; undefined when none does. */
export function resolvePlan<T>(passed: readonly Passed<T>[]): ResolvedPlan<T> | undefined {
  let trials = 0;
  const choose = (index: number, chosen: readonly Chosen<T>[]): ResolvedPlan<T> | undefined => {
    const next = passed[index];
    if (next === undefined) {
      trials += 1;
      return trials > MAX_TRIALS ? undefined : trial(chosen);
    }
    for (const [at, section] of next.sections.entries()) {
      const last = at === next.sections.length - 1;
      const found = choose(index + 1, [...chosen, { ...next, section, droppable: next.optional && last }]);
      if (found !== undefined || trials > MAX_TRIALS) return found;
    }
    return undefined;
  };
  return choose(0, []);
}

interface Chosen<T> extends Passed<T> {
  readonly section: PlanSection;
  /** An optional buildpack is given up in its last alternative only. */
  readonly droppable: boolean;
}

/** One combination: drops what may be dropped until everything is met, or fails. */
function trial<T>(all: readonly Chosen<T>[]): ResolvedPlan<T> | undefined {
  let left = all;
  for (;;) {
    const misfits = misfitsOf(left);
    if (misfits.size === 0)
      return left.length === 0 ? undefined : { group: left.map(({ who }) => who), entries: entriesOf(left) };
    if ([...misfits].some(({ droppable }) => !droppable)) return undefined;
    left = left.filter((it) => !misfits.has(it));
  }
}

/** Those with a require that nobody before them provides, or a provide that nobody requires. */
function misfitsOf<T>(group: readonly Chosen<T>[]): ReadonlySet<Chosen<T>> {
  const misfits = new Set<Chosen<T>>();
  const provided = new Set<string>();
  for (const [index, it] of group.entries()) {
    for (const name of it.section.provides) provided.add(name);
    if (it.section.requires.some(({ name }) => !provided.has(name))) misfits.add(it);
    const wanted = new Set(
      group.slice(index).flatMap(({ section }) => section.requires.map(({ name }) => name)),
    );
    if (it.section.provides.some((name) => !wanted.has(name))) misfits.add(it);
  }
  return misfits;
}

/** Why a plan does not fit, for people: what nobody provides or requires, by the first alternatives. */
export function misfitReason<T>(passed: readonly Passed<T>[]): string {
  const first = passed.flatMap(({ sections: [section] }) => section ?? []);
  const provided = new Set(first.flatMap(({ provides }) => provides));
  const required = new Set(first.flatMap(({ requires }) => requires.map(({ name }) => name)));
  const missing = [...required].filter((name) => !provided.has(name));
  const unwanted = [...provided].filter((name) => !required.has(name));
  if (missing.length + unwanted.length === 0) return 'something is required before it is provided';
  return [
    ...(missing.length > 0 ? [`nothing provides ${missing.join(', ')}`] : []),
    ...(unwanted.length > 0 ? [`nothing requires ${unwanted.join(', ')}`] : []),
  ].join(', ');
}

function entriesOf<T>(group: readonly Chosen<T>[]): PlanEntry<T>[] {
  const names = new Set(group.flatMap(({ section }) => section.provides));
  return [...names].map((name) => ({
    name,
    providers: group.filter(({ section }) => section.provides.includes(name)).map(({ who }) => who),
    requires: group.flatMap(({ section }) => section.requires.filter((it) => it.name === name)),
  }));
}

/** What one buildpack gets of the plan at build, and what stays for those behind it. */
export function planFor<T>(entries: readonly PlanEntry<T>[], who: T): readonly PlanEntry<T>[] {
  return entries.filter(({ providers }) => providers.includes(who));
}

/** The entries without what `who` met: all of its own but those that it called unmet. */
export function afterBuild<T>(
  entries: readonly PlanEntry<T>[],
  who: T,
  unmet: readonly string[],
): readonly PlanEntry<T>[] {
  return entries.filter(({ name, providers }) => !providers.includes(who) || unmet.includes(name));
}
