/** The C library: which one the stack has, and which one a program needs, told before the loader says it obscurely. */
import { createReadStream } from 'node:fs';
import { z } from 'zod';
import { BuildpackFailure } from './failure.ts';

const report = z.object({ header: z.object({ glibcVersionRuntime: z.string().optional() }) });

let known: string | undefined;

/** The stack's glibc as `2.36.0`; undefined where it has another C library. */
export function stackLibc(): string | undefined {
  if (known === undefined) {
    // Interfaces take the longest to report and are of no interest.
    Object.assign(process.report, { excludeNetwork: true });
    const { header } = report.parse(process.report.getReport());
    known = header.glibcVersionRuntime ?? '';
  }
  return known === '' ? undefined : threeParts(known);
}

/** What the manifest's `requires` may ask for of the machine. */
export function machineFacts(): Readonly<Record<string, string>> {
  const libc = stackLibc();
  return libc === undefined ? {} : { glibc: libc };
}

/** The highest `GLIBC_2.x` that a program or library names; undefined when it names none (a static one). */
export async function neededLibc(file: string): Promise<string | undefined> {
  let highest = -1;
  let rest = '';
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024, encoding: 'latin1' })) {
    const text = rest + String(chunk);
    for (const [, minor] of text.matchAll(/GLIBC_2\.(\d{1,3})(?=[.\0])/g)) {
      highest = Math.max(highest, Number(minor));
    }
    rest = text.slice(-16);
  }
  return highest < 0 ? undefined : `2.${highest}.0`;
}

/**
 * Held against the stack before a program is run for the first time.
 *
 * @throws BuildpackFailure naming both versions when the stack's glibc is older.
 */
export async function demandLibc(name: string, files: readonly string[]): Promise<void> {
  const has = stackLibc();
  if (has === undefined) return;
  for (const file of files) {
    const needs = await neededLibc(file);
    if (needs === undefined || minor(needs) <= minor(has)) continue;
    throw new BuildpackFailure(`${name} needs glibc ${short(needs)}; this stack has ${short(has)}`, {
      next: 'Ask for an older version of it, or choose a newer stack.',
    });
  }
}

function threeParts(version: string): string {
  return [...version.split('.'), '0', '0'].slice(0, 3).join('.');
}

function minor(version: string): number {
  return Number(version.split('.')[1] ?? 0);
}

function short(version: string): string {
  return version.replace(/\.0$/, '');
}
