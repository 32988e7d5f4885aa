/**
 * A warm staging of this tree beside one of another tree of stager, which must be built:
 *
 *     git worktree add --detach /tmp/older COMMIT && (cd /tmp/older && npm ci && npm run build)
 *     node bench/warm.ts --against /tmp/older [--runs 15] [small] [large] [s3]
 *
 * Both stage the same app again and again, in turns that change places, each with a data home of its own. `small` is one
 * page with an installed buildpack of 200 files; `large` 2,000 files with a buildpack of 3,000 in a stack of 10,000; `s3`
 * is `small` with a bucket of a server on loopback. Prints medians of elapsed and processor time and their ratios.
 * `--more` is added to the arguments of both.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { shellItems, tarOf } from '../test/support/mini-stack.ts';
import { startS3Server, useTestCredentials } from '../test/support/s3-server.ts';
import { source } from './inputs.ts';
import { load, median, ROOT } from './measure.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    against: { type: 'string' },
    runs: { type: 'string', default: '15' },
    more: { type: 'string', multiple: true, default: [] },
  },
});
const dir = mkdtempSync(join(tmpdir(), 'stager-warm-'));

/** What is staged: how many files each part has. */
interface Scenario {
  readonly app: number;
  readonly buildpack: number;
  readonly stack?: number;
}

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  small: { app: 1, buildpack: 200 },
  large: { app: 2_000, buildpack: 3_000, stack: 10_000 },
  s3: { app: 1, buildpack: 200 },
};

const SCRIPTS = {
  detect: 'echo it',
  supply: `read -r line <"\${0%/*}/../lib/f1.js"; echo "$line" >"$3/$4/data"; echo same >"$2/kept"`,
  finalize: ':',
  release: "printf 'default_process_types:\\n  web: ls\\n'",
} as const;

function files(root: string, count: number): void {
  for (let n = 0; n < count; n += 1) {
    const folder = join(root, `d${n % 100}`);
    if (n < 100) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `f${n}.js`), source(n));
  }
}

function makeBuildpack(root: string, count: number): void {
  mkdirSync(join(root, 'bin'), { recursive: true });
  files(join(root, 'lib'), count);
  writeFileSync(join(root, 'lib/f1.js'), source(1));
  for (const [name, script] of Object.entries(SCRIPTS))
    writeFileSync(join(root, 'bin', name), `#!/bin/sh\nset -e\n${script}\n`, { mode: 0o755 });
}

/** One tree of stager over a data home of its own. */
class Contender {
  readonly name: string;
  readonly #program: string;
  readonly #home: string;
  readonly #arguments: readonly string[];
  readonly times: { elapsed: number; processor: number }[] = [];

  constructor(name: string, root: string, args: readonly string[]) {
    this.name = name;
    this.#program = join(root, 'bin/stager');
    this.#home = mkdtempSync(join(dir, 'home-'));
    this.#arguments = args;
  }

  prepare(buildpack: string, rootfs: string | undefined): void {
    this.#run(['buildpack', 'add', 'bench', buildpack]);
    if (rootfs !== undefined) this.#run(['stack', 'add', 'bench', rootfs]);
    for (let n = 0; n < 3; n += 1) this.#run(this.#arguments);
  }

  measure(): void {
    spawnSync('sync');
    const out = join(dir, 'time');
    const started = performance.now();
    this.#run(this.#arguments, ['time', '-o', out, '-f', '%U %S']);
    const elapsed = performance.now() - started;
    const [user = 0, system = 0] = readFileSync(out, 'utf8').trim().split(' ').map(Number);
    this.times.push({ elapsed, processor: (user + system) * 1000 });
  }

  #run(args: readonly string[], before: readonly string[] = []): void {
    const [first = '', ...rest] = [...before, this.#program, ...args];
    const env = { ...process.env, HOME: this.#home, STAGER_HOME: join(this.#home, 'data') };
    execFileSync(first, rest, { env, stdio: ['ignore', 'ignore', 'inherit'] });
  }
}

async function compare(name: string, { app, buildpack, stack }: Scenario): Promise<void> {
  const root = join(dir, name);
  files(join(root, 'app'), app);
  writeFileSync(join(root, 'app/f0.js'), source(0));
  makeBuildpack(join(root, 'buildpack'), buildpack);
  const args = ['stage', join(root, 'app'), '-b', 'bench', '--app-name', 'app', '--quiet', ...values.more];
  const rootfs = stack === undefined ? undefined : await makeStack(root, stack);
  if (rootfs !== undefined) args.push('--stack', 'bench');
  const server = name === 's3' ? await startS3Server(dir) : undefined;
  try {
    const trees = [
      ['this', ROOT],
      ['other', resolve(values.against ?? ROOT)],
    ] as const;
    const contenders: Contender[] = [];
    for (const [which, tree] of trees) {
      await server?.makeBucket(which);
      const store = server === undefined ? [] : ['--blobstore', server.address(which)];
      contenders.push(new Contender(which, tree, [...args, ...store]));
    }
    for (const it of contenders) it.prepare(join(root, 'buildpack'), rootfs);
    for (let n = 0; n < Number(values.runs); n += 1)
      for (const it of n % 2 === 0 ? contenders : contenders.toReversed()) it.measure();
    print(name, contenders);
  } finally {
    await server?.stop();
  }
}

async function makeStack(root: string, count: number): Promise<string> {
  const many = Array.from({ length: count }, (_, n) => ({
    name: `./usr/share/d${n % 300}/f${n}`,
    content: source(n).slice(0, 2_000),
  }));
  const path = join(root, 'stack.tar');
  writeFileSync(path, await tarOf([...shellItems(), ...many]));
  return path;
}

function print(scenario: string, contenders: readonly Contender[]): void {
  const figures = contenders.map(({ times }) => ({
    elapsed: median(times.map((it) => it.elapsed)),
    processor: median(times.map((it) => it.processor)),
  }));
  const [ours, theirs] = figures;
  if (ours === undefined || theirs === undefined) return;
  const seconds = (ms: number): string => (ms / 1000).toFixed(2);
  const ratio = (a: number, b: number): string => (a / b).toFixed(3);
  console.log(
    `| ${scenario} | ${seconds(ours.elapsed)} | ${seconds(theirs.elapsed)} | ${ratio(ours.elapsed, theirs.elapsed)} ` +
      `| ${seconds(ours.processor)} | ${seconds(theirs.processor)} | ${ratio(ours.processor, theirs.processor)} |`,
  );
}

useTestCredentials();
console.log(`load before: ${load()}\n`);
console.log(
  '| | this: s | other: s | ratio | this: CPU s | other: CPU s | ratio |\n|---|---|---|---|---|---|---|',
);
try {
  for (const [name, scenario] of Object.entries(SCENARIOS))
    if (positionals.length === 0 || positionals.includes(name)) await compare(name, scenario);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
