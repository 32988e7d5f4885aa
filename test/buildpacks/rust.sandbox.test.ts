/** The rust buildpack with a real toolchain: crates of the registry, nothing changed, a changed file with an old time. */
import { existsSync, readFileSync } from 'node:fs';
import { readFile, utimes, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { Driver } from '../support/buildpack-driver.ts';

async function body(url: string): Promise<string> {
  return (await fetch(url)).text();
}

describe('rust buildpack', () => {
  it('builds a service with crates, builds nothing when nothing has changed, and all that has', async () => {
    // Compiled in half the time.
    await using app = await Driver.of('rust-web', { CARGO_PROFILE_RELEASE_OPT_LEVEL: '0' });
    expect((await app.detect('rust')).output).toMatch(/^rust \d/);
    const first = await app.stage('rust');
    expect(first, first.output).toMatchObject({ code: 0 });
    expect(first.output).toContain('Compiling tiny_http');
    // No toolchain and no sources in the droplet.
    for (const gone of ['deps/0/rust', 'deps/0/bin', 'app/src', 'app/Cargo.toml', 'app/target']) {
      expect(existsSync(app.at(gone)), gone).toBe(false);
    }
    expect(JSON.parse(readFileSync(app.at('deps/0/installed.json'), 'utf8'))).toContainEqual(
      expect.objectContaining({ name: 'rust', uri: expect.stringContaining('rustc-web') }),
    );
    expect(app.commands).toMatchObject({ web: './bin/rust-web', report: './bin/report' });
    await app.launch('./bin/rust-web', async (url) => {
      expect(await body(url)).toBe('Hello from rust on stager\n');
      expect(await body(`${url}/version`)).toBe('1.2.0 release\n');
      expect(await body(`${url}/template`)).toBe('a template of the app\n');
    });

    await app.restart('rust-web');
    const second = await app.stage('rust');
    expect(second, second.output).toMatchObject({ code: 0 });
    expect(second.output).toContain('Using the programs of the last staging');
    expect(second.output).not.toContain('Compiling');
    expect(existsSync(app.at('app/bin/rust-web'))).toBe(true);
    expect(readFileSync(app.at('deps/0/installed.json'), 'utf8')).toContain('rustc-web');

    await app.restart('rust-web');
    const file = app.at('app/src/lib.rs');
    await writeFile(file, (await readFile(file, 'utf8')).replace('Hello', 'Goodbye'));
    // Older than what was built: times of files prove nothing.
    await utimes(file, new Date(2020, 1), new Date(2020, 1));
    const third = await app.stage('rust');
    expect(third, third.output).toMatchObject({ code: 0 });
    expect(third.output).toContain('Compiling rust-web');
    expect(third.output).not.toContain('Compiling tiny_http');
    await app.launch('./bin/rust-web', async (url) => {
      expect(await body(url)).toBe('Goodbye from rust on stager\n');
    });
  });
});
