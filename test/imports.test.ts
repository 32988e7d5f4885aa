import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAst } from 'rolldown/parseAst';
import { describe, expect, it } from 'vitest';

const src = fileURLToPath(new URL('../src', import.meta.url));

/**
 * Every folder from top to bottom; a layer is a line. A file may import from its own folder and from folders that stand
 * later. So a folder may use its subfolders, and a subfolder never knows the folder around it.
 */
const LAYERS: readonly (readonly string[])[] = [
  ['doors/cli', 'doors/cli/commands', 'doors/cli/input', 'doors/cli/terminal'],
  ['doors/dropin', 'doors/dropin/go'],
  [
    'doors/http',
    'doors/http/page',
    'doors/http/operations',
    'doors/http/uaa',
    'doors/http/v2',
    'doors/http/v3',
    'doors/http/route',
  ],
  ['index.ts', 'doors/library'],
  ['compose.ts'],
  ['workshop'],
  ['service/doctor'],
  ['remote'],
  ['service/backup'],
  ['service/builds'],
  ['service/metrics'],
  ['service/events'],
  ['service/queue', 'service/sign-in', 'service/manifests', 'service/resources'],
  ['service/access', 'service/state', 'service/state/migrations'],
  ['staging', 'staging/steps', 'staging/manifest', 'staging/request'],
  ['staging/unpacked', 'staging/layers', 'staging/image', 'staging/package', 'staging/launch'],
  ['staging/cnb'],
  ['staging/buildpack/run', 'staging/buildpack/acquire', 'staging/buildpack/contract'],
  ['staging/build-cache'],
  ['staging/droplet', 'staging/droplet/unpack', 'staging/droplet/pack', 'staging/droplet/tar'],
  ['staging/vcap', 'staging/logs', 'staging/workspace', 'staging/source'],
  ['stores/resource-cache', 'stores/records'],
  ['stores/registry'],
  ['stores/blobs', 'stores/blobs/fs', 'stores/blobs/s3', 'stores/blobs/port'],
  ['machine/doctor', 'machine/stack'],
  ['machine/sandbox', 'machine/sandbox/none', 'machine/sandbox/process'],
  ['machine/sandbox/oci', 'machine/sandbox/child'],
  ['machine/sandbox/volume', 'machine/network'],
  ['machine/sandbox/kernel', 'machine/sandbox/port'],
  ['machine/proxy'],
  ['machine/telemetry'],
  ['config'],
  ['machine/host'],
  ['words'],
];

/** A folder for each resource of the API: together counted as one, since resources show each other. */
const ONE_FOLDER = 'doors/http/v3';

/** The inside of a door, which no other part may import. */
const DOORS = ['doors/cli', 'doors/dropin', 'doors/http'];

/** The one file of a door that another may open: `stager serve` is a command. */
const ENTRIES = ['doors/http/serve.ts'];

const folders = LAYERS.flat();

/** The folder of a file, or the file itself at the top. */
function folderOf(path: string): string {
  const folder = dirname(relative(src, path));
  if (folder.startsWith(`${ONE_FOLDER}/`)) return ONE_FOLDER;
  return folder === '.' ? relative(src, path) : folder;
}

/** A file without the lines of its comments, which may name other files. */
function codeOf(file: string): string {
  return readFileSync(file, 'utf8').replace(/^\s*(?:\*|\/\/|\/\*).*$/gm, '');
}

interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly text: string;
}

const files = globSync('**/*.ts', { cwd: src }).map((file) => resolve(src, file));

// A buildpack's skeleton holds imports as text, of files that are not ours: only what exists counts.
const arrows: readonly Arrow[] = files.flatMap((file) =>
  [...codeOf(file).matchAll(/(?:from|import\()\s*'(\.{1,2}\/[^']+)'/g)]
    .map(([, specifier = '']) => resolve(dirname(file), specifier))
    .filter((target) => existsSync(target))
    .map((target) => ({
      from: folderOf(file),
      to: folderOf(target),
      text: `${relative(src, file)} → ${relative(src, target)}`,
    }))
    .filter(({ from, to }) => from !== to),
);

describe('imports', () => {
  it('point down: from doors to staging to stores to the machine, and never back', () => {
    const wrong = arrows.filter(({ from, to }) => folders.indexOf(from) > folders.indexOf(to));
    expect(wrong.map(({ text }) => text)).toEqual([]);
  });

  it('leave the doors alone', () => {
    const doorOf = (folder: string): string | undefined =>
      DOORS.find((door) => folder === door || folder.startsWith(`${door}/`));
    const wrong = arrows.filter(
      ({ from, to, text }) =>
        doorOf(to) !== undefined &&
        doorOf(from) !== doorOf(to) &&
        !ENTRIES.some((entry) => text.endsWith(` → ${entry}`)),
    );
    expect(wrong.map(({ text }) => text)).toEqual([]);
  });

  it('know every folder, and no folder that is not there', () => {
    expect([...new Set(files.map(folderOf))].toSorted()).toEqual(folders.toSorted());
  });

  it('saw the program', () => {
    expect(arrows.length).toBeGreaterThan(500);
  });
});

/** Kysely calls every migration's function by this name; only the list of migrations imports them. */
const MIGRATION = /^service\/state\/migrations\/\d{4}-/;

type Statement = ReturnType<typeof parseAst>['body'][number];

/** Names that a statement declares and exports; a type and a value of one name are one. */
function exportedBy(statement: Statement): readonly string[] {
  if (statement.type !== 'ExportNamedDeclaration' || statement.declaration === null) return [];
  const { declaration } = statement;
  const ids =
    declaration.type === 'VariableDeclaration'
      ? declaration.declarations.map(({ id }) => id)
      : 'id' in declaration
        ? [declaration.id]
        : [];
  return ids.flatMap((id) => (id?.type === 'Identifier' ? [id.name] : []));
}

describe('exports', () => {
  const declared = files
    .filter((file) => !MIGRATION.test(relative(src, file)))
    .flatMap((file) => {
      const { body } = parseAst(readFileSync(file, 'utf8'), { lang: 'ts' });
      return [...new Set(body.flatMap(exportedBy))].map((name) => ({ name, file: relative(src, file) }));
    });

  it('have a name each: one word for one thing, and one thing for one word', () => {
    const twice = [...Map.groupBy(declared, ({ name }) => name)].filter(([, places]) => places.length > 1);
    expect(twice.map(([name, places]) => `${name}: ${places.map(({ file }) => file).join(', ')}`)).toEqual(
      [],
    );
  });

  it('were seen', () => {
    expect(declared.length).toBeGreaterThan(1500);
  });
});

/** Classes that stand behind a port or keep something from one call to the next, each with the folder that is theirs. */
const ADAPTERS = new Map(
  Object.entries({
    Stager: 'compose.ts',
    DirectoryBlobStore: 'stores/blobs/',
    S3BlobStore: 'stores/blobs/',
    WatchedStore: 'stores/blobs/',
    StagingRecords: 'stores/records/',
    OciSandbox: 'machine/sandbox/',
    NoSandbox: 'machine/sandbox/',
    ProcessSandbox: 'machine/sandbox/',
    StackStore: 'machine/stack/',
    ContentStore: 'staging/buildpack/acquire/',
    BuildpackRegistry: 'staging/buildpack/acquire/',
    BuildpackFetcher: 'staging/buildpack/acquire/',
    RegistryClient: 'stores/registry/',
  }),
);

/** Functions of a folder that choose among its adapters. */
const CHOOSERS = new Map(
  Object.entries({
    openBlobStore: 'stores/blobs/',
    openS3BlobStore: 'stores/blobs/',
    selectSandbox: 'machine/sandbox/',
    httpClient: 'machine/proxy/',
  }),
);

describe('adapters', () => {
  it('are constructed in compose.ts, or by the folder that is theirs and chooses among them', () => {
    const wrong = files.flatMap((file) => {
      const path = relative(src, file);
      const made = [...codeOf(file).matchAll(/\bnew (\w+)\(|(?<!function )\b(\w+)\(/g)];
      return made.flatMap(([, constructed = '', called = '']) => {
        const folder = ADAPTERS.get(constructed) ?? CHOOSERS.get(called);
        const allowed = folder === undefined || path === 'compose.ts' || path.startsWith(folder);
        return allowed ? [] : [`${path} makes ${constructed}${called}`];
      });
    });
    expect(wrong).toEqual([]);
  });

  it('are all of those that serve a port', () => {
    const port = /export class (\w+) implements (?:BlobStore|Sandbox)\b/g;
    const serving = files.flatMap((file) => [...codeOf(file).matchAll(port)].map(([, name = '']) => name));
    expect(serving.length).toBeGreaterThan(3);
    expect(serving.filter((name) => !ADAPTERS.has(name))).toEqual([]);
  });
});

describe('files', () => {
  it('are short: nine of ten have at most 200 lines; the lint stops at 300', () => {
    const lengths = files.map((file) => readFileSync(file, 'utf8').split('\n').length - 1);
    const sorted = lengths.toSorted((one, other) => one - other);
    expect(sorted[Math.floor(sorted.length * 0.9)]).toBeLessThanOrEqual(200);
  });
});
