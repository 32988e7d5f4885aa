import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const src = fileURLToPath(new URL('../src', import.meta.url));

/** Files at the top that any folder may use: words and values, no effects. */
const SHARED = ['ids', 'errors', 'error-report', 'events', 'clock', 'phases', 'process-identity'];

/**
 * folder → folders that it may import. Doors first, then compose, the pipeline's steps, ports and plain data.
 * A folder that is not listed may import nothing but the shared files.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  cli: ['*'],
  dropin: ['buildpack', 'config', 'droplet', 'vcap', 'logs', 'blobs', 'workspace', 'source'],
  '(compose)': ['*'],
  '(index)': ['*'],
  '(stage)': ['*'],
  '(run)': ['*'],
  '(request)': ['droplet', 'vcap'],
  staging: ['*'],
  records: ['droplet'],
  '(doctor)': ['sandbox', 'stack'],
  workshop: ['*'],
  buildpack: ['sandbox', 'workspace', 'droplet', 'vcap', 'logs', 'proxy', 'blobs', 'source'],
  launch: ['sandbox', 'vcap', 'logs', 'droplet', 'workspace', 'blobs'],
  droplet: ['blobs', 'workspace', 'source'],
  package: ['source', 'pool', 'blobs', 'workspace'],
  workspace: ['source', 'sandbox'],
  pool: ['blobs', 'source'],
  source: [],
  stack: ['sandbox', 'source', 'droplet', 'workspace'],
  sandbox: ['workspace'],
  manifest: ['config'],
  config: [],
  blobs: [],
  vcap: ['logs'],
  logs: [],
  proxy: [],
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

interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly file: string;
}

const arrows: Arrow[] = files(src).flatMap((file) =>
  [...readFileSync(file, 'utf8').matchAll(/(?:from|import\()\s*'(\.{1,2}\/[^']+)'/g)].map((match) => ({
    from: folderOf(file),
    to: folderOf(resolve(dirname(file), match[1] ?? '')),
    file: relative(src, file),
  })),
);

const isShared = (folder: string): boolean => SHARED.some((name) => folder === `(${name})`);

describe('imports', () => {
  it('point from the doors to the steps to the ports, and never back', () => {
    const wrong = arrows.filter(({ from, to }) => {
      if (from === to || isShared(to)) return false;
      const allowed = MAY_IMPORT[from] ?? [];
      return !allowed.includes('*') && !allowed.includes(to);
    });
    // Types of the record and of result.json travel in events.
    const real = wrong.filter(({ from, to }) => !(from === '(events)' && to === 'droplet'));
    expect(real.map(({ file, to }) => `${file} → ${to}`)).toEqual([]);
  });

  it('leave the doors alone', () => {
    expect(arrows.filter(({ from, to }) => to === 'cli' && from !== 'cli').map(({ file }) => file)).toEqual(
      [],
    );
  });

  it('saw the program', () => {
    expect(arrows.length).toBeGreaterThan(50);
  });
});
