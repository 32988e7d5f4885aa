/** `stager stage --smoke`: what counts as staged has come up once. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cli, events } from '../support/cli.ts';

const LISTENS = `import os, socket
server = socket.create_server(("0.0.0.0", int(os.environ["PORT"])))
print("up with", os.environ["GREETING"], flush=True)
while True: server.accept()[0].close()
`;
const DIES = `echo 'reading the configuration'
echo 'Error: Cannot find module express' >&2
exit 3
`;

let cli: Cli;

beforeAll(async () => {
  cli = await Cli.make();
});

afterAll(async () => {
  await cli[Symbol.asyncDispose]();
});

/** An app whose web process is `command`. */
async function stage(
  name: string,
  files: Readonly<Record<string, string>> & { readonly Procfile: string },
  more: readonly string[] = [],
) {
  return await cli.run(['stage', await cli.app(name, files), '-b', 'procfile', '--smoke', ...more]);
}

describe('stager stage --smoke', () => {
  it('counts an app as staged that passes its health check, with its own variables', async () => {
    const { code, stdout } = await stage(
      'healthy',
      { Procfile: 'web: exec python3 app.py\n', 'app.py': LISTENS },
      ['-e', 'GREETING=hello', '--json'],
    );
    expect(code).toBe(0);
    const seen = events(stdout);
    expect(seen).toContainEqual(
      expect.objectContaining({
        type: 'phase-ended',
        phase: { name: 'smoke' },
        outcome: 'done',
        note: expect.stringMatching(/^web was healthy after /),
      }),
    );
    expect(seen.at(-1)).toMatchObject({
      outcome: 'staged',
      record: { phases: expect.arrayContaining([expect.objectContaining({ phase: { name: 'smoke' } })]) },
    });
    expect(await cli.leftovers()).toEqual([]);
  });

  it('fails the staging of an app that dies at once, shows its last lines, and keeps no droplet', async () => {
    const before = await cli.droplets();
    const { code, stderr, stdout } = await stage('dies', {
      Procfile: 'web: exec sh app.sh\n',
      'app.sh': DIES,
    });
    expect(code).toBe(91);
    expect(stderr).toContain(
      'error HEALTH_CHECK_FAILED (app) in smoke: APP/PROC/WEB ended with 3 before the app was healthy; its last lines:\n',
    );
    expect(stderr).toMatch(/^ {2}reading the configuration$/m);
    expect(stderr).toMatch(/^ {2}Error: Cannot find module express$/m);
    expect(stdout).not.toContain('Staged dies');
    expect(await cli.droplets()).toEqual(before);
    expect(await cli.leftovers()).toEqual([]);
  });

  it('fails the staging of an app that never listens, after the time that its manifest gives', async () => {
    const manifest = `${cli.dir}/deaf/manifest.yml`;
    const { code, stderr } = await stage(
      'deaf',
      {
        Procfile: 'web: echo working; exec sleep 600\n',
        'manifest.yml': 'applications: [{ name: deaf, timeout: 1 }]\n',
      },
      ['-f', manifest],
    );
    expect(code).toBe(91);
    expect(stderr).toMatch(
      /in smoke: APP\/PROC\/WEB not healthy within 1000 ms; last check: port \d+: connection refused, nothing listens there; its last lines:/,
    );
    expect(stderr).toMatch(/^ {2}working$/m);
    expect(stderr).toContain('has to listen on $PORT');
    expect(await cli.leftovers()).toEqual([]);
  });

  it('has nothing to check where no process is web, and says so', async () => {
    const { code, stdout } = await stage('worker', { Procfile: 'worker: sleep 600\n' }, ['--verbose']);
    expect(code).toBe(0);
    expect(stdout).toContain('smoke: no web process to check: it has worker, skipped');
  });
});
