/** What the form of a lock file says: whether it can be read, and which line of its manager wrote it. */
import { join } from 'node:path';
import { z } from 'zod';
import { type App, readJson, readText, refuseConflict, wrong } from './package-json.ts';

const strings = z.record(z.string(), z.string());

/** Only what every version of npm has in common; the rest is npm's to judge. */
const npmLock = z.object({
  lockfileVersion: z.number().optional(),
  packages: z
    .record(
      z.string(),
      z.object({
        version: z.string().optional(),
        name: z.string().optional(),
        link: z.boolean().optional(),
        inBundle: z.boolean().optional(),
        integrity: z.string().optional(),
        dependencies: strings.optional(),
        optionalDependencies: strings.optional(),
      }),
    )
    .optional(),
  dependencies: z.record(z.string(), z.object({ version: z.string().optional() })).optional(),
});

/**
 * The text of the lock file.
 *
 * @throws BuildpackFailure naming what is wrong with it.
 */
export async function readLock(app: App, file: string): Promise<string> {
  if (file.endsWith('.json')) {
    const value = await readJson(app.dir, file);
    const parsed = npmLock.safeParse(value);
    if (value !== undefined && !parsed.success) throw wrong(file, parsed.error, value);
    return value === undefined ? '' : JSON.stringify(value);
  }
  const text = (await readText(join(app.dir, file))) ?? '';
  refuseConflict(file, text);
  return text;
}

/** The parts of a package-lock.json that {@link readLock} has checked; undefined for another text. */
export function parseNpmLock(text: string): z.output<typeof npmLock> | undefined {
  return text.trim() === '' ? undefined : npmLock.safeParse(JSON.parse(text)).data;
}

/** Whether a yarn.lock is of Yarn 2 or later. */
export function isBerryLock(text: string): boolean {
  return /^__metadata:/m.test(text);
}

/** Yarn writes an older form of its lock file anew, which --immutable forbids: so each form with those that write it. */
const BERRY_LINES = [
  { upTo: 4, line: '2.x' },
  { upTo: 5, line: '3.1.x' },
  { upTo: 6, line: '>=3.2.0 <4' },
  // Pre-releases of Yarn 4, which no range takes: packageManager has to name one.
  { upTo: 7, line: '4.0.0-rc.45' },
  { upTo: 8, line: '>=4.0.0 <4.14.0' },
  { upTo: 9, line: '4.14.x' },
] as const;
/** Yarn 2 and 3.0 write the same form. Only checksums of its own kind are compared, so each gets its own. */
const YARN_3_0 = { form: 4, cacheKey: 8, line: '3.0.x' } as const;

/** The line of a manager that reads this form of lock file; undefined where any does. */
export function lineOfLock(family: 'npm' | 'yarn' | 'pnpm', text: string): string | undefined {
  if (family === 'npm' || text.trim() === '') return undefined;
  if (family === 'pnpm') {
    const form = pnpmForm(text);
    if (form >= 9) return undefined;
    return form < 6 ? '7.x' : '8.x';
  }
  if (!isBerryLock(text)) return '1.x';
  const form = metadata(text, 'version') ?? 8;
  const cacheKey = metadata(text, 'cacheKey') ?? 0;
  if (form === YARN_3_0.form && cacheKey >= YARN_3_0.cacheKey) return YARN_3_0.line;
  return BERRY_LINES.find(({ upTo }) => form <= upTo)?.line ?? '>=4.15.0';
}

/** All versions of a manager that install by this form of lock file; undefined where any does. */
export function readersOf(family: 'npm' | 'yarn' | 'pnpm', text: string): string | undefined {
  if (family !== 'pnpm' || text.trim() === '') return lineOfLock(family, text);
  const form = pnpmForm(text);
  if (form >= 9) return '>=9';
  return form < 6 ? '<8' : '8.x || 9.x';
}

function pnpmForm(text: string): number {
  return Number.parseFloat(/^lockfileVersion: ['"]?([\d.]+)/m.exec(text)?.[1] ?? '9');
}

/** A number of the first entry of a yarn.lock; undefined when it is not there. */
function metadata(text: string, key: 'version' | 'cacheKey'): number | undefined {
  const entry = /^__metadata:\n((?:[ \t].*\n?)+)/m.exec(text.replaceAll('\r\n', '\n'))?.[1] ?? '';
  const value = new RegExp(`^\\s+${key}: "?(\\d+)`, 'm').exec(entry)?.[1];
  return value === undefined ? undefined : Number(value);
}
