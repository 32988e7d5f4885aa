/** The nginx buildpack with Debian's nginx and modules: templates, includes, a second staging, use by other buildpacks. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { Driver } from '../support/buildpack-driver.ts';

describe('nginx buildpack', () => {
  it('fills in port, variables and modules at each start, and downloads nothing the second time', async () => {
    await using app = await Driver.of('nginx-site');
    const staged = await app.stage('nginx');
    expect(staged, staged.output).toMatchObject({ code: 0 });
    expect(staged.output).toMatch(/nginx 1\.26\.\d+ \(stable, buildpack\.yml\)/);
    expect(staged.output).toContain('There is no access_log: requests are logged to stdout');
    expect(readFileSync(app.at('deps/0/launch.yml'), 'utf8')).toContain('start-nginx');
    await rm(app.at('deps/0'), { recursive: true });
    const second = await app.stage('nginx');
    expect(second, second.output).toMatchObject({ code: 0 });
    expect(second.output).toContain('Using nginx of the last staging');
    expect(second.output).not.toContain('Downloading');
    expect(readFileSync(app.at('deps/0/installed.json'), 'utf8')).toContain('libnginx-mod-stream');
    for (const greeting of ['moin', 'a"b+c']) {
      const run = await app.launch(
        'start-nginx',
        async (url) => {
          const answer = await fetch(url);
          expect(await answer.text()).toBe('Hello from nginx on stager\n');
          expect(answer.headers.get('content-type')).toContain('text/html');
          // Escaped as Cloud Foundry's helper does, unless it is named in plaintext_env_vars.
          expect(answer.headers.get('x-greeting')).toBe(greeting === 'moin' ? 'moin' : 'a&#34;b&#43;c');
          expect(await (await fetch(`${url}/plain`)).text()).toBe('a+b\n');
          expect(await (await fetch(`${url}/resolver`)).text()).toBe('resolved\n');
        },
        { GREETING: greeting, PLAIN: 'a+b' },
      );
      expect(run.code, run.output).toBe(0);
      expect(run.output).toContain('"GET /plain HTTP/1.1" 200');
    }
  });

  it("fails with nginx's words and the app's line, and is on PATH for another buildpack", async () => {
    await using app = await Driver.of('nginx-site');
    await writeFile(app.at('app/conf.d/site.conf'), 'server {\n  listen {{port}};\n  rooot public;\n}\n');
    const broken = await app.stage('nginx');
    expect(broken.code).toBe(1);
    expect(broken.output).toContain('**ERROR** nginx does not accept the configuration');
    expect(broken.output).toContain('unknown directive "rooot" in conf.d/site.conf:3');

    await writeFile(app.at('app/buildpack.yml'), 'nginx: { version: mainline }\n');
    await rm(app.at('app/conf.d'), { recursive: true });
    await rm(app.at('app/nginx.conf'));
    await rm(app.at('deps/0'), { recursive: true });
    const supplied = await app.stage('nginx', 'binary');
    expect(supplied, supplied.output).toMatchObject({ code: 0 });
    expect(supplied.output).toMatch(/Installing nginx 1\.31\.\d+ \(a static build by HfCloud/);
    const said = spawnSync(app.at('deps/0/bin/nginx'), ['-v'], { encoding: 'utf8' });
    expect(said.stderr).toContain('nginx version: nginx/1.31.');
  });
});
