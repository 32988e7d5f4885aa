/** The go buildpack with a real toolchain: modules of the proxy, nothing changed, several programs, plain files. */
import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { Driver } from '../support/buildpack-driver.ts';

async function body(url: string): Promise<string> {
  return (await fetch(url)).text();
}

describe('go buildpack', () => {
  it('builds a service with modules, and builds nothing when nothing has changed', async () => {
    const env = { GO_LINKER_SYMBOL: 'main.version', GO_LINKER_VALUE: '1.2' };
    await using app = await Driver.of('go-web', env);
    expect((await app.detect('go')).output).toMatch(/^go \d/);
    const first = await app.stage('go');
    expect(first, first.output).toMatchObject({ code: 0 });
    expect(first.output).toMatch(/Go 1\.26\.\d+ \(the go line of go\.mod\)/);
    // No toolchain in the droplet.
    expect(existsSync(app.at('deps/0/go'))).toBe(false);
    expect(JSON.parse(readFileSync(app.at('deps/0/installed.json'), 'utf8'))).toEqual([
      expect.objectContaining({ name: 'go', uri: expect.stringMatching(/^goproxy:golang\.org\/toolchain@/) }),
    ]);
    expect(readFileSync(app.at('deps/0/launch.yml'), 'utf8')).toContain('./bin/go-web');
    expect((await app.release('go')).output).toContain('web: ./bin/go-web');
    const ask = () =>
      app.launch('./bin/go-web', async (url) => {
        expect(await body(url)).toBe('Hello from go on stager\n');
        expect(await body(`${url}/runtime`)).toMatch(/^go1\.26\.\d+ 1\.2\n$/);
      });
    await ask();

    for (const name of ['app/bin', 'deps/0']) await rm(app.at(name), { recursive: true });
    const second = await app.stage('go');
    expect(second, second.output).toMatchObject({ code: 0 });
    expect(second.output).toContain('Using the programs of the last staging');
    expect(second.output).not.toContain('go install');
    await ask();
  });
});
