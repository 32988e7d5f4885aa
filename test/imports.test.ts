import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const src = fileURLToPath(new URL('../src', import.meta.url));

/** Files at the top that any folder may use: words and values, no effects. */
const SHARED = ['ids', 'errors', 'error-report', 'events', 'clock', 'json', 'phases', 'units'];

/**
 * folder or (file at the top) → what it may import. Doors first, then compose, the steps in the order of the
 * pipeline, ports and plain data. Only doors and compose see everything; every other arrow is one that is used.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  cli: ['*'],
  '(index)': ['(library)', '(options)', 'droplet', 'launch'],
  '(library)': [
    '(compose)',
    '(events-queue)',
    '(options)',
    '(request)',
    '(run)',
    '(stage)',
    'config',
    'droplet',
    'host',
    'launch',
    'vcap',
  ],
  '(options)': ['(request)', 'config', 'droplet', 'vcap'],
  dropin: ['buildpack', 'config', 'droplet'],
  workshop: [
    '(request)',
    'buildpack',
    'config',
    'host',
    'launch',
    'logs',
    'sandbox',
    'source',
    'staging',
    'vcap',
    'workspace',
  ],
  '(compose)': ['*'],
  '(stage)': ['(request)', 'droplet', 'staging'],
  staging: [
    '(request)',
    'blobs',
    'buildpack',
    'droplet',
    'host',
    'launch',
    'package',
    'proxy',
    'records',
    'sandbox',
    'source',
    'vcap',
    'workspace',
  ],
  '(run)': [
    '(request)',
    'blobs',
    'droplet',
    'launch',
    'logs',
    'records',
    'sandbox',
    'staging',
    'vcap',
    'workspace',
  ],
  '(doctor)': ['sandbox', 'stack'],
  '(request)': ['droplet', 'vcap'],
  source: ['host'],
  package: ['blobs', 'pool', 'source'],
  pool: ['blobs'],
  workspace: ['host', 'source'],
  buildpack: ['blobs', 'droplet', 'host', 'logs', 'proxy', 'sandbox', 'source', 'vcap', 'workspace'],
  stack: ['host', 'sandbox'],
  sandbox: ['host'],
  droplet: ['blobs', 'host', 'workspace'],
  launch: ['blobs', 'droplet', 'host', 'logs', 'sandbox', 'vcap'],
  blobs: ['host', 'proxy'],
  records: ['droplet', 'host'],
  vcap: [],
  proxy: ['host'],
  config: ['host'],
  manifest: ['host'],
  logs: [],
  host: [],
  // The types of the record and of result.json travel in events.
  '(events)': ['droplet'],
};

function files(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? files(path) : path.endsWith('.ts') ? [path] : [];
  });
}

function folderOf(path: string): string {
  const [first = '', ...rest] = relative(src, path).split('/');
  return rest.length === 0 ? `(${first.replace(/\.ts$/, '')})` : first;
}

/** A file without the lines of its comments, which may name other files. */
function codeOf(file: string): string {
  return readFileSync(file, 'utf8').replace(/^\s*(?:\*|\/\/|\/\*).*$/gm, '');
}

interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly file: string;
}

// A buildpack's skeleton holds imports as text, of files that are not ours: only what exists counts.
const arrows: Arrow[] = files(src).flatMap((file) =>
  [...codeOf(file).matchAll(/(?:from|import\()\s*'(\.{1,2}\/[^']+)'/g)]
    .map((match) => resolve(dirname(file), match[1] ?? ''))
    .filter((target) => existsSync(target))
    .map((target) => ({ from: folderOf(file), to: folderOf(target), file: relative(src, file) }))
    .filter(({ from, to }) => from !== to),
);

const isShared = (folder: string): boolean => SHARED.some((name) => folder === `(${name})`);
const mayImport = (from: string): readonly string[] => MAY_IMPORT[from] ?? [];

describe('imports', () => {
  it('point from the doors to the steps to the ports, and never back', () => {
    const wrong = arrows.filter(
      ({ from, to }) => !isShared(to) && !mayImport(from).includes('*') && !mayImport(from).includes(to),
    );
    expect(wrong.map(({ file, to }) => `${file} → ${to}`)).toEqual([]);
  });

  it('use every arrow that they may', () => {
    const used = new Set(arrows.map(({ from, to }) => `${from} → ${to}`));
    const listed = Object.entries(MAY_IMPORT).flatMap(([from, targets]) =>
      targets.filter((to) => to !== '*').map((to) => `${from} → ${to}`),
    );
    expect(listed.filter((arrow) => !used.has(arrow))).toEqual([]);
  });

  it('never run in a circle', () => {
    const circles = Object.keys(MAY_IMPORT).filter((from) => reach(from).has(from));
    expect(circles).toEqual([]);
  });

  it('of the shared files bring types only', () => {
    const shared = files(src).filter((file) => isShared(folderOf(file)));
    const values = shared.flatMap((file) =>
      [...codeOf(file).matchAll(/^(?:import|export) (?!type\b).*from '(\.{1,2}\/[^']+)'/gm)]
        .map((match) => folderOf(resolve(dirname(file), match[1] ?? '')))
        .filter((to) => !isShared(to))
        .map((to) => `${relative(src, file)} → ${to}`),
    );
    expect(values).toEqual([]);
  });

  it('leave the doors alone', () => {
    const doors = ['cli', 'dropin', '(index)'];
    // bin/ starts dropin; nothing else in src knows that it exists.
    const into = arrows.filter(({ from, to }) => doors.includes(to) && from !== 'cli');
    expect(into.map(({ file, to }) => `${file} → ${to}`)).toEqual([]);
  });

  it('saw the program', () => {
    expect(arrows.length).toBeGreaterThan(50);
  });
});

/** Folders that `from` leads to, in any number of steps. */
function reach(from: string): ReadonlySet<string> {
  const seen = new Set<string>();
  const visit = (folder: string): void => {
    for (const { from: start, to } of arrows) {
      if (start !== folder || seen.has(to) || isShared(to)) continue;
      seen.add(to);
      visit(to);
    }
  };
  visit(from);
  return seen;
}
