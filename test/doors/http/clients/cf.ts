/** The real `cf`, in a home of its own. STAGER_CF_CLI says where it is. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PASSWORD, type Served } from '../support/served.ts';

/** Programs to try, or none. Several are separated by colons. */
export const CF_PROGRAMS: readonly string[] = (process.env['STAGER_CF_CLI'] ?? '')
  .split(':')
  .filter((path) => path !== '');

type Variables = Readonly<Record<string, string>>;

/** One client that has signed in nowhere yet. */
export class Cf {
  /** Where commands run. */
  readonly dir: string;
  readonly program: string;
  readonly #home: string;

  private constructor(program: string, dir: string) {
    this.program = program;
    this.dir = dir;
    this.#home = join(dir, 'cf-home');
  }

  static async make(program: string, served: Served, name: string): Promise<Cf> {
    const cf = new Cf(program, join(served.dir, name));
    await mkdir(cf.#home, { recursive: true });
    return cf;
  }

  /** Signs in as admin, and makes and targets a space. */
  async signIn(served: Served, organization: string): Promise<void> {
    await this.ok(['api', served.url]);
    await this.ok(['auth', 'admin', PASSWORD]);
    await this.ok(['create-org', organization]);
    await this.ok(['create-space', 'dev', '-o', organization]);
    await this.ok(['target', '-o', organization, '-s', 'dev']);
  }

  /** Runs a command that has to work, and returns what it said. */
  async ok(args: readonly string[], env: Variables = {}): Promise<string> {
    const { code, said } = await this.run(args, env);
    if (code !== 0) throw new Error(`cf ${args.join(' ')} ended with ${code}:\n${said}`);
    return said;
  }

  /** Runs a command that has to be refused, and returns what it said. */
  async refused(args: readonly string[], env: Variables = {}): Promise<string> {
    const { code, said } = await this.run(args, env);
    if (code === 0) throw new Error(`cf ${args.join(' ')} was not refused:\n${said}`);
    return said;
  }

  async run(
    args: readonly string[],
    env: Variables = {},
  ): Promise<{ readonly code: number | null; readonly said: string }> {
    const child = spawn(this.program, args, {
      cwd: this.dir,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: this.#home, CF_HOME: this.#home, CF_COLOR: 'false', ...env },
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
    }
    await once(child, 'close');
    return { code: child.exitCode, said };
  }

  /** Writes files below the directory. */
  async write(files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
    for (const [path, content] of Object.entries(files)) {
      const full = join(this.dir, path);
      await mkdir(dirname(full), { recursive: true });
      await writeFile(full, content);
    }
  }
}
