/** What lint rules look at: the files of a buildpack, read once and bounded. */

import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Family } from '../staging/buildpack/contract/contract.ts';
import { shebangLine } from '../words/shebang.ts';
import { type ReadManifest, readBuildpackManifest } from './manifest.ts';
import { type ShellLine, shellText } from './shell-text.ts';

/** One program in bin/. */
export interface LintScript {
  readonly name: string;
  /** Permission bits. */
  readonly mode: number;
  /** Its text, line by line; absent for programs of the kernel's own format. */
  readonly lines?: readonly string[];
  readonly hasCarriageReturns: boolean;
  readonly shebang?: string;
}

/** Everything that a rule may look at. */
export interface LintInput {
  readonly root: string;
  readonly family: Family;
  readonly scripts: ReadonlyMap<string, LintScript>;
  readonly manifest: ReadManifest;
  /** Names at the top. */
  readonly names: ReadonlySet<string>;
  /** Whether the stack has a program: an absolute path, or a name on the search path. */
  readonly inStack: (program: string) => Promise<boolean>;
}

/** Something is wrong (`error`), likely to bite (`warning`), or good to know (`note`). */
export type Severity = 'error' | 'warning' | 'note';

/** One finding. */
export interface LintFinding {
  /** Stable, kebab-case; docs/workshop.md explains each. */
  readonly id: string;
  readonly severity: Severity;
  /** Relative to the buildpack. */
  readonly path: string;
  readonly line?: number;
  readonly message: string;
  /** Why the contract makes it matter. */
  readonly reason: string;
}

/** A rule: what it looks for and what it found. */
export interface Rule {
  readonly id: string;
  readonly severity: Severity;
  readonly reason: string;
  find(input: LintInput): Promise<readonly BareFinding[]> | readonly BareFinding[];
}

/** A finding before the rule's own facts are added; `severity` where a case is less or more than the rule. */
export interface BareFinding {
  readonly path: string;
  readonly line?: number;
  readonly message: string;
  readonly severity?: Severity;
}

const MAX_SCRIPT_BYTES = 1024 * 1024;
const SEARCH_PATH = ['/usr/local/bin', '/usr/bin', '/bin'];

/** Reads what rules look at. */
export async function lintInput(root: string, family: Family, stackRoot: string): Promise<LintInput> {
  const scripts = new Map<string, LintScript>();
  for (const entry of await readdir(join(root, 'bin'), { withFileTypes: true })) {
    const script = await readScript(join(root, 'bin', entry.name), entry.name);
    if (script !== undefined) scripts.set(entry.name, script);
  }
  return {
    root,
    family,
    scripts,
    manifest: await readBuildpackManifest(root),
    names: new Set(await readdir(root)),
    inStack: async (program) => {
      const paths = program.startsWith('/') ? [program] : SEARCH_PATH.map((dir) => `${dir}/${program}`);
      for (const path of paths) {
        if ((await stat(join(stackRoot, path)).catch(() => undefined)) !== undefined) return true;
      }
      return false;
    },
  };
}

async function readScript(path: string, name: string): Promise<LintScript | undefined> {
  const facts = await stat(path).catch(() => undefined);
  if (facts?.isFile() !== true) return undefined;
  const mode = facts.mode & 0o777;
  const head = await firstBytes(path, Math.min(facts.size, MAX_SCRIPT_BYTES));
  const isProgram = head.subarray(0, 4).equals(Buffer.from('\x7fELF', 'latin1')) || head.includes(0);
  if (isProgram) return { name, mode, hasCarriageReturns: false };
  const text = head.toString('utf8');
  const lines = text.split(/\r?\n/);
  const shebang = shebangLine(text)?.trim();
  return {
    name,
    mode,
    lines,
    hasCarriageReturns: text.includes('\r\n'),
    ...(shebang !== undefined && { shebang }),
  };
}

async function firstBytes(path: string, length: number): Promise<Buffer> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 0);
  return buffer.subarray(0, bytesRead);
}

/** What a shell acts on in a script; nothing of scripts of other languages. */
export function shellLines(script: LintScript): readonly ShellLine[] {
  return isShell(script) ? [...shellText(script.lines ?? [])] : [];
}

/** Whether its interpreter is a shell. */
export function isShell({ shebang = '' }: LintScript): boolean {
  return shebang.split(/\s+/).some((word) => /(^|\/)(ba|da|k|z)?sh$/.test(word));
}
