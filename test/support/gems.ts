/**
 * Gems for vendor/cache, since RubyGems is not among the registries that tests reach: real ones are made of Debian's packages
 * of them, small ones of folders.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { checksum } from '../../buildpacks/kit/checksum.ts';
import { Dependencies } from '../../buildpacks/kit/dependencies.ts';
import { unpack } from '../../buildpacks/kit/extract.ts';
import { createLog } from '../../buildpacks/kit/log.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Where Debian has them; a newer one of the suite does as well. */
const DEBIAN: Readonly<Record<string, readonly [string, string]>> = {
  'ruby-sinatra': [
    'debian:pool/main/r/ruby-sinatra/ruby-sinatra_3.0.5-3+deb12u1_all.deb',
    '7980ec9e78c5e48bf9062111c68296c183c8fb2bb0b522f85e3dc04129221323',
  ],
  'ruby-rack': [
    'debian-security:pool/updates/main/r/ruby-rack/ruby-rack_2.2.22-0+deb12u2_all.deb',
    '7ba26a66f6981b48ac604c9b829de51bdfc5d5ec8f329cf823b0aab72f718354',
  ],
  'ruby-rack-protection': [
    'debian:pool/main/r/ruby-sinatra/ruby-rack-protection_3.0.5-3+deb12u1_all.deb',
    '65d9fed722063109bc7f3d675281bbdca19860bbf706e17001976dbf3501ae2c',
  ],
  'ruby-mustermann': [
    'debian:pool/main/r/ruby-mustermann/ruby-mustermann_3.0.0-2_all.deb',
    '951ce99726f797e9d28e4f64175733e007930109d295e8070e46ecf6f862c892',
  ],
  'ruby-ruby2-keywords': [
    'debian:pool/main/r/ruby-ruby2-keywords/ruby-ruby2-keywords_0.0.5-1_all.deb',
    'a2806f226a72c5be7cfd33eb35fbcf1aa33c136d48802af7fcd5897f54417b8b',
  ],
  'ruby-tilt': [
    'debian:pool/main/r/ruby-tilt/ruby-tilt_2.0.11-2_all.deb',
    '1295b458fb1bc8e7e65c88ef4675f2c8f0fa7f76097c467c5b5ac9f1f07f8a92',
  ],
  'ruby-webrick': [
    'debian:pool/main/r/ruby-webrick/ruby-webrick_1.8.1-1_all.deb',
    '65c31aff127cda20f8a10258b0ec28f512fd6f9e89b525e9d3a0bdbe1da7a007',
  ],
  rake: [
    'debian:pool/main/r/rake/rake_13.0.6-3_all.deb',
    '9818519ad01d850db5b52c35bddee7571764cb6838f9ba4b1efab76613a4b9f9',
  ],
};

/** A gem, and what it needs: `rack` → `~> 2.2`. */
export interface Gem {
  readonly name: string;
  readonly version: string;
  readonly needs: Readonly<Record<string, string>>;
}

/** Writes gems of these packages to `<app>/vendor/cache`. */
export async function vendorDebianGems(app: string, packages: readonly string[]): Promise<Gem[]> {
  const log = createLog(() => undefined);
  const cacheDir = join(ROOT, '.cache/buildpack-tests');
  const store = new Dependencies({ buildpackDir: ROOT, cacheDir, env: process.env, log });
  const gems: Gem[] = [];
  for (const name of packages) {
    const [uri = '', digest = ''] = DEBIAN[name] ?? [];
    const sum = checksum('sha256', digest);
    if (sum === undefined) throw new Error(`no such package: ${name}`);
    const debian = { suite: 'bookworm', package: name };
    const file = await store.fetch({ name, version: '0', uri, checksum: sum, arch: 'x64', debian });
    const dir = await mkdtemp(join(tmpdir(), 'gem-'));
    try {
      await unpack(file, dir, {
        pick: (path) => (/^usr\/(share\/rubygems-integration|lib\/ruby)\//.test(path) ? path : undefined),
      });
      gems.push(await gemOf(dir, app));
    } finally {
      await rm(dir, { recursive: true });
    }
  }
  return gems;
}

async function gemOf(dir: string, app: string): Promise<Gem> {
  const all = join(dir, 'usr/share/rubygems-integration/all');
  const [spec = ''] = readdirSync(join(all, 'specifications'));
  const [, name = '', version = ''] = /^(.+)-([\d.]+)\.gemspec$/.exec(spec) ?? [];
  const text = readFileSync(join(all, 'specifications', spec), 'utf8');
  const needs = Object.fromEntries(
    [...text.matchAll(/add_runtime_dependency\(%q<([\w-]+)>\.freeze, \["([^"]+)"/g)].map(
      ([, gem = '', range = '']) => [gem, range],
    ),
  );
  const own = join(all, 'gems', `${name}-${version}`);
  // What has no folder of its own lies among Ruby's own files.
  const from = existsSync(join(own, 'lib'))
    ? { files: own, prefix: '' }
    : { files: join(dir, 'usr/lib/ruby/vendor_ruby'), prefix: 'lib/' };
  const executables = ['exe', 'bin'].flatMap((folder) =>
    existsSync(join(own, folder))
      ? [{ folder, names: readdirSync(join(own, folder)).filter((it) => /^(rackup|rake)$/.test(it)) }]
      : [],
  );
  const gem = { name, version, needs };
  await writeGem(app, gem, { ...from, ...(executables[0] ?? {}) });
  return gem;
}

/** Writes `<app>/vendor/cache/<name>-<version>.gem` of a folder with lib/. */
export async function writeGem(
  app: string,
  { name, version, needs }: Gem,
  from: {
    readonly files: string;
    readonly prefix?: string;
    readonly folder?: string;
    readonly names?: readonly string[];
  },
): Promise<void> {
  const files = readdirSync(from.files, { recursive: true, encoding: 'utf8' })
    .filter((path) => statSync(join(from.files, path)).isFile())
    .sort();
  const data = pack();
  // The same gem has the same bytes, so that a second staging finds nothing changed.
  const mtime = new Date(0);
  for (const path of files) {
    const mode = from.folder !== undefined && path.startsWith(`${from.folder}/`) ? 0o755 : 0o644;
    data.entry(
      { name: `${from.prefix ?? ''}${relative('.', path)}`, mode, mtime },
      readFileSync(join(from.files, path)),
    );
  }
  data.finalize();
  const requirement = (range: string) => {
    const [operator = '', number = ''] = range.split(' ');
    return `!ruby/object:Gem::Requirement\n    requirements:\n    - - "${operator}"\n      - !ruby/object:Gem::Version\n        version: '${number}'\n`;
  };
  const dependencies = Object.entries(needs).map(
    ([gem, range]) =>
      `- !ruby/object:Gem::Dependency\n  name: ${gem}\n  requirement: ${requirement(range)}  type: :runtime\n  prerelease: false\n  version_requirements: ${requirement(range)}`,
  );
  const names = from.names ?? [];
  const metadata = [
    `--- !ruby/object:Gem::Specification\nname: ${name}\nversion: !ruby/object:Gem::Version\n  version: ${version}\nplatform: ruby\n`,
    'authors:\n- nobody\ndate: 2020-01-01 00:00:00.000000000 Z\nsummary: for tests\nspecification_version: 4\n',
    `require_paths:\n- lib\nbindir: ${from.folder ?? 'bin'}\nexecutables: ${JSON.stringify(names)}\n`,
    dependencies.length === 0 ? 'dependencies: []\n' : `dependencies:\n${dependencies.join('')}`,
    'required_ruby_version: !ruby/object:Gem::Requirement\n  requirements:\n  - - ">="\n    - !ruby/object:Gem::Version\n      version: \'0\'\n',
  ].join('');
  const parts = { 'metadata.gz': gzipSync(metadata), 'data.tar.gz': gzipSync(await bytesOf(data)) };
  const sums = Object.entries(parts).map(
    ([part, bytes]) => `  ${part}: ${createHash('sha512').update(bytes).digest('hex')}\n`,
  );
  const gem = pack();
  for (const [part, bytes] of Object.entries(parts)) gem.entry({ name: part, mode: 0o444, mtime }, bytes);
  gem.entry({ name: 'checksums.yaml.gz', mode: 0o444, mtime }, gzipSync(`---\nSHA512:\n${sums.join('')}`));
  gem.finalize();
  mkdirSync(join(app, 'vendor/cache'), { recursive: true });
  writeFileSync(join(app, 'vendor/cache', `${name}-${version}.gem`), await bytesOf(gem));
}

/** Gemfile.lock of these gems; `direct` are those of the Gemfile. */
export function writeLock(app: string, gems: readonly Gem[], direct: readonly string[]): void {
  const specs = [...gems]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, version, needs }) => {
      const lines = Object.entries(needs).map(([gem, range]) => `      ${gem} (${range})\n`);
      return `    ${name} (${version})\n${lines.sort().join('')}`;
    });
  writeFileSync(
    join(app, 'Gemfile.lock'),
    `GEM\n  remote: https://rubygems.org/\n  specs:\n${specs.join('')}\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n${[
      ...direct,
    ]
      .sort()
      .map((name) => `  ${name}\n`)
      .join('')}\nBUNDLED WITH\n   2.5.23\n`,
  );
}

async function bytesOf(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) if (chunk instanceof Uint8Array) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The packages of Sinatra with a server. */
export const SINATRA = [
  ...['ruby-sinatra', 'ruby-rack', 'ruby-rack-protection', 'ruby-mustermann', 'ruby-ruby2-keywords'],
  ...['ruby-tilt', 'ruby-webrick'],
];
