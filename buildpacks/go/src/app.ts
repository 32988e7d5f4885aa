/** What an app is made of: its go files, its options, and the older tools that are refused. */
import { readdir, readFile } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import { z } from 'zod';
import { BuildpackFailure, isThere, readYaml } from '../../kit/index.ts';
import { wrongShapes } from '../../kit/shape.ts';
import { type GoFile, readGoFile } from './go-mod.ts';

/** An app that this buildpack can build. */
export interface GoApp {
  readonly dir: string;
  readonly mod: GoFile | undefined;
  readonly work: GoFile | undefined;
  /** `vendor/modules.txt` is there. */
  readonly vendored: boolean;
  /** Import path of an app without go.mod. */
  readonly packageName: string | undefined;
  /** `-X` of the linker: symbol → value. */
  readonly symbols: Readonly<Record<string, string>>;
  /** Packages to build, as somebody named them. */
  readonly packages: readonly string[];
}

type Env = Readonly<Record<string, string | undefined>>;

const OLDER = [
  ['Godeps/Godeps.json', 'godep'],
  ['Gopkg.toml', 'dep'],
  ['glide.yaml', 'glide'],
  ['vendor/vendor.json', 'govendor'],
  ['.godir', '.godir files'],
] as const;

const buildpackYml = z.object({
  go: z
    .object({ ldflags: z.record(z.string(), z.string()).nullable().optional() })
    .nullable()
    .optional(),
});

/** @throws BuildpackFailure for what can't be built, with the way out. */
export async function readGoApp(dir: string, env: Env): Promise<GoApp> {
  const [mod, work] = [await readGoFile(dir, 'go.mod'), await readGoFile(dir, 'go.work')];
  if (mod === undefined && work === undefined) await refuseOlder(dir);
  const packageName = env['GOPACKAGENAME'] || undefined;
  if (mod === undefined && work === undefined) await demandGoFiles(dir, packageName);
  for (const folder of work?.uses ?? []) {
    if (await isThere(join(dir, folder, 'go.mod'))) continue;
    throw new BuildpackFailure(`go.work uses ${folder}, which has no go.mod`, {
      next: 'Stage the folder that go.work lies in, with all of its modules (see .cfignore), or correct go.work.',
    });
  }
  const named = env['GO_INSTALL_PACKAGE_SPEC']?.split(/\s+/).filter(Boolean) ?? [];
  const packages = named.length > 0 ? named : (mod?.heroku.install ?? []);
  await checkPackages(dir, packages);
  const vendored = await demandWholeVendor(dir, mod ?? work);
  if (mod !== undefined && mod.requires > 0 && !vendored && !(await isThere(join(dir, 'go.sum')))) {
    throw new BuildpackFailure('go.sum is missing', {
      next: 'Run go mod tidy, and commit go.sum together with go.mod.',
    });
  }
  return { dir, mod, work, vendored, packageName, packages, symbols: await symbolsOf(dir, env) };
}

async function refuseOlder(dir: string): Promise<void> {
  for (const [file, tool] of OLDER) {
    if (!(await isThere(join(dir, file)))) continue;
    throw new BuildpackFailure(`${file} is there and no go.mod: ${tool} is not supported any more`, {
      next: 'Run go mod init <module path>, then go mod tidy, and commit go.mod and go.sum.',
    });
  }
}

async function demandGoFiles(dir: string, packageName: string | undefined): Promise<void> {
  const root = (await readdir(dir)).filter((name) => name.endsWith('.go'));
  if (root.length === 0 && packageName === undefined) {
    throw new BuildpackFailure('there is no go.mod, and no Go file at the top of the app', {
      next: 'Stage the folder that has them. A new module begins with: go mod init <module path>.',
    });
  }
  if (packageName !== undefined && (!/^[\w.~/-]+$/.test(packageName) || packageName.includes('..'))) {
    throw new BuildpackFailure(`GOPACKAGENAME is "${packageName}", which is not an import path`, {
      next: 'Use something like example.com/shop; with a go.mod it is not needed.',
    });
  }
}

async function checkPackages(dir: string, packages: readonly string[]): Promise<void> {
  for (const spec of packages) {
    if (spec.startsWith('-')) {
      throw new BuildpackFailure(
        `GO_INSTALL_PACKAGE_SPEC has "${spec}", which is an option and not a package`,
        {
          next: 'Options of the go command belong in GOFLAGS.',
        },
      );
    }
    const isPath = spec === '.' || spec.startsWith('./') || spec.startsWith('../') || spec.startsWith('/');
    if (!isPath || spec.includes('...')) continue;
    const path = normalize(spec);
    if (path.startsWith('..') || path.startsWith('/')) {
      throw new BuildpackFailure(`GO_INSTALL_PACKAGE_SPEC has ${spec}, which is outside the app`);
    }
    if (await isThere(join(dir, path))) continue;
    throw new BuildpackFailure(`GO_INSTALL_PACKAGE_SPEC has ${spec}, which does not exist in the app`, {
      next: 'Name folders relative to the top of the app, such as ./cmd/web.',
    });
  }
}

/** @throws BuildpackFailure when the folder is there without its list. */
async function demandWholeVendor(dir: string, file: GoFile | undefined): Promise<boolean> {
  if (await isThere(join(dir, 'vendor/modules.txt'))) return true;
  if (file === undefined || !(await isThere(join(dir, 'vendor')))) return false;
  throw new BuildpackFailure('vendor/ has no modules.txt, so the go command would not use it', {
    next: 'Run go mod vendor and stage all of vendor/, or put vendor/ into .cfignore.',
  });
}

/** buildpack.yml first, then GO_LINKER_SYMBOL and GO_LINKER_VALUE. */
async function symbolsOf(dir: string, env: Env): Promise<Record<string, string>> {
  const value = (await readYaml(join(dir, 'buildpack.yml'))) ?? {};
  const parsed = buildpackYml.safeParse(value);
  if (!parsed.success) {
    const found = wrongShapes(parsed.error, value, 'buildpack.yml');
    throw new BuildpackFailure(`buildpack.yml is not valid:\n${found.join('\n')}`, {
      next: 'Use something like: {go: {ldflags: {main.version: "1.2"}}}.',
    });
  }
  const symbol = env['GO_LINKER_SYMBOL'] ?? '';
  const linked = env['GO_LINKER_VALUE'];
  if (symbol !== '' && linked === undefined) {
    throw new BuildpackFailure('GO_LINKER_SYMBOL is set, but GO_LINKER_VALUE is not', {
      next: 'Set both: the value becomes that of the symbol, such as main.version.',
    });
  }
  const all = { ...parsed.data.go?.ldflags, ...(symbol === '' ? {} : { [symbol]: linked ?? '' }) };
  for (const [name, text] of Object.entries(all)) {
    if (/^[\w./~-]+$/.test(name) && !/["'\n]/.test(text)) continue;
    throw new BuildpackFailure(`the linker can't set ${name} to ${JSON.stringify(text)}`, {
      next: 'The symbol is <import path>.<variable>; the value may not have quotes or line ends.',
    });
  }
  return all;
}

/** Whether a file of the app says so in its text; used to look for `import "C"`. */
export async function anyGoFile(dir: string, says: RegExp): Promise<string | undefined> {
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.go') || entry.name.endsWith('_test.go')) continue;
    const path = join(entry.parentPath, entry.name);
    if (says.test(await readFile(path, 'utf8'))) return path.slice(dir.length + 1);
  }
  return undefined;
}
