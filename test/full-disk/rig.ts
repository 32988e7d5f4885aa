/** A data home on a small file system, and commands that run while there is hardly any space. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Stager } from '../../src/compose.ts';
import { loadConfig } from '../../src/config/load.ts';
import { openBlobs, runDroplet, stage } from '../../src/index.ts';
import { asStagerError } from '../../src/words/error-report.ts';
import { makeBuildpack, serveZip, urlOf } from '../mutations/rig.ts';
import { DiskImage } from '../support/disk-image.ts';
import { shellItems, tarOf } from '../support/mini-stack.ts';

export const COMMANDS = ['stage', 'run', 'stack', 'buildpack'] as const;
export type Command = (typeof COMMANDS)[number];

/** A command's result that can be compared, or its failure. */
export type Outcome =
  | { readonly fingerprint: string; readonly warnings: readonly string[] }
  | { readonly code: string; readonly message: string; readonly next: string };

const signal = new AbortController().signal;

/** Text that can't be compressed much. */
const noise = (seed: string, bytes: number): string => {
  let text = '';
  for (let n = 0; text.length < bytes; n += 1)
    text += createHash('sha512').update(`${seed} ${n}`).digest('base64');
  return text.slice(0, bytes);
};

/** See the top of the file. */
export class Rig {
  readonly disk: DiskImage;
  readonly home: string;
  readonly #dir: string;
  readonly #server: Server;

  private constructor(dir: string, disk: DiskImage, server: Server) {
    this.#dir = dir;
    this.disk = disk;
    this.home = join(disk.mount, 'home');
    this.#server = server;
  }

  /** An app, a buildpack of an address and one in a directory, a stack; a data home that has staged something else. */
  static async make(): Promise<Rig> {
    const dir = mkdtempSync(join(tmpdir(), 'stager-full-disk-'));
    const server = await serveZip(join(dir, 'zip'), noise('zip', 400_000));
    const rig = new Rig(dir, DiskImage.make({ mebibytes: 32, inodes: 4_000 }), server);
    await makeBuildpack(join(dir, 'local'), noise('local', 300_000));
    writeFileSync(join(dir, 'mini.tar'), await tarOf([...shellItems(), { name: 'file', content: 'one' }]));
    rig.#writeApp('before', 10_000);
    mkdirSync(rig.home, { mode: 0o711 });
    const first = await rig.perform('stage');
    if ('code' in first) throw new Error(first.message);
    execFileSync('cp', ['-a', rig.home, join(dir, 'original')]);
    rig.#writeApp('now', 1_500_000);
    return rig;
  }

  #writeApp(seed: string, bytes: number): void {
    mkdirSync(join(this.#dir, 'app'), { recursive: true });
    writeFileSync(join(this.#dir, 'app/index.html'), seed);
    writeFileSync(join(this.#dir, 'app/data'), noise(seed, bytes));
    for (let n = 0; n < 20; n += 1) writeFileSync(join(this.#dir, `app/${n}.txt`), `${seed} ${n}`);
  }

  /** The data home as it was, on a disk that has space. */
  restore(): void {
    this.disk.empty();
    rmSync(this.home, { recursive: true, force: true });
    execFileSync('cp', ['-a', join(this.#dir, 'original'), this.home]);
  }

  async perform(command: Command): Promise<Outcome> {
    const warnings: string[] = [];
    try {
      return { fingerprint: await this.#result(command, warnings), warnings };
    } catch (thrown) {
      const { code, message, next = '' } = asStagerError(thrown);
      return { code, message, next };
    }
  }

  async #result(command: Command, warnings: string[]): Promise<string> {
    const common = { home: this.home, sandbox: 'none' } as const;
    if (command === 'stage') {
      const { droplet } = await stage({
        ...common,
        source: join(this.#dir, 'app'),
        appName: 'app',
        buildpacks: [join(this.#dir, 'local'), `${urlOf(this.#server)}/zip.zip`],
        sourceDateEpoch: 315_532_800,
        onEvent: (event) => {
          if (event.type === 'warning' && event.code !== 'limit-not-enforced') warnings.push(event.message);
        },
      }).result;
      return droplet.sha256;
    }
    if (command === 'run') {
      let text = '';
      const { result } = runDroplet({
        ...common,
        command: ['cat', 'index.html'],
        onEvent: (event) => {
          if (event.type === 'log') text += event.text;
        },
      });
      const { exitCode } = await result;
      return exitCode === 0 ? text : 'the app failed';
    }
    const stager = new Stager(await loadConfig({ flags: common, machineOnly: true }));
    if (command === 'stack')
      return (await stager.stacks.add('mini', join(this.#dir, 'mini.tar'), { signal })).digest;
    const { registry, fetcher } = await stager.buildpacks(signal);
    const path = join(this.#dir, 'local');
    const fetched = await fetcher.fetch({ kind: 'directory', key: path, path }, { signal });
    try {
      await registry.add('local', fetched, { signal });
    } finally {
      await fetched.lease.release();
    }
    return 'added';
  }

  /** What a command left that it should have taken away: what is aside, unnamed, half or said to be in use. */
  async leftBehind(): Promise<readonly string[]> {
    const aside = [
      '**/*.new',
      '**/.*.new',
      '**/*.lock*',
      '**/tmp/*',
      '.tmp/**',
      'workspaces/*',
      'stacks/new/*',
    ];
    const found = globSync([...aside, 'blobs/.tmp/*/*', 'buildpacks/leases/*'], { cwd: this.home });
    const blobs = await openBlobs({ home: this.home });
    const { damaged } = await blobs.verify();
    return [...found, ...damaged.map(({ key }) => `damaged ${key.kind}/${key.name}`)];
  }

  async close(): Promise<void> {
    this.#server.close();
    this.disk.remove();
    await rm(this.#dir, { recursive: true, force: true });
  }
}
