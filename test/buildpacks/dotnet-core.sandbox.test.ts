/** The dotnet-core buildpack with a real runtime: of Ubuntu, inside of the app, and of a mirror that an operator names. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { dir as tempDir } from 'tmp-promise';
import { describe, expect, it } from 'vitest';
import { Driver } from '../support/buildpack-driver.ts';
import { isUbuntuThere } from '../support/ubuntu.ts';

async function body(url: string): Promise<string> {
  return (await fetch(url)).text();
}

async function answers(app: Driver, command: string, hello: string, runtime: RegExp): Promise<void> {
  const launched = await app.launch(
    command,
    async (url) => {
      expect(await body(url)).toBe(`Hello from ${hello} on stager\n`);
      // ICU is there.
      expect(await body(`${url}/culture`)).toBe(',\n');
      expect(await body(`${url}/runtime`)).toMatch(runtime);
    },
    { MEMORY_LIMIT: '256m' },
  );
  expect(launched.output).not.toContain('rror');
}

describe.skipIf(!(await isUbuntuThere()))('dotnet-core buildpack (needs x64 and Ubuntu)', () => {
  it('runs an app of ASP.NET Core on the shared runtime, builds its sources, runs one with the runtime inside, and one on the runtime of a mirror', async () => {
    const scratch = await tempDir({ unsafeCleanup: true });
    await using app = await Driver.of('dotnet-aspnet');
    expect((await app.detect('dotnet-core')).output).toMatch(/^dotnet-core \d/);
    expect((await app.release('dotnet-core')).output).toContain('web: dotnet ./web.dll');
    await mkdir(app.at('app/bin'));
    await writeFile(app.at('app/bin/post_compile'), 'dotnet --list-runtimes | sed "s/ .*/ hooked/"\n');
    const shared = await app.stage('dotnet-core');
    expect(shared, shared.output).toMatchObject({ code: 0 });
    expect(shared.output).toMatch(
      /Microsoft\.AspNetCore\.App (8\.0\.\d+) \(the app names 8\.0\.0, roll forward: Minor\)/,
    );
    expect(shared.output).toContain('Microsoft.AspNetCore.App hooked');
    expect(shared.output).toContain('8.0.x reached its end of life on 2026-11-10');
    expect(app.commands['web']).toBe('dotnet ./web.dll');
    await answers(app, 'dotnet ./web.dll', 'ASP.NET Core', /^8\.0\.\d+ Production\n$/);

    await app.restart('dotnet-source');
    const built = await app.stage('dotnet-core');
    expect(built, built.output).toMatchObject({ code: 0 });
    expect(built.output).toContain('-----> Building web.csproj (net8.0)');
    expect(built.output).toContain('Using .NET of the last staging');
    await app.restart('dotnet-source');
    const again = await app.stage('dotnet-core');
    expect(again, again.output).toMatchObject({ code: 0 });
    expect(again.output).toContain('Using what the last staging built of web.csproj');
    expect((await readdir(app.at('app'))).sort()).not.toContain('Program.cs');
    await answers(app, './web', 'ASP.NET Core', /^8\.0\.\d+ Production\n$/);

    const runtime = join(scratch.path, 'runtime');
    await cp(app.at('deps/0/dotnet'), runtime, { recursive: true });
    await app.restart('dotnet-web');
    const [version = ''] = await readdir(join(runtime, 'shared/Microsoft.NETCore.App'));
    await cp(join(runtime, 'shared/Microsoft.NETCore.App', version), app.at('app'), { recursive: true });
    await cp(join(runtime, 'host/fxr', version, 'libhostfxr.so'), app.at('app/libhostfxr.so'));
    execFileSync('cc', ['-o', app.at('app/web'), app.at('app/host.c'), '-ldl']);
    const included = [{ name: 'Microsoft.NETCore.App', version }];
    const config = { runtimeOptions: { tfm: 'net8.0', includedFrameworks: included } };
    await writeFile(app.at('app/web.runtimeconfig.json'), JSON.stringify(config));
    await writeFile(
      app.at('app/web.deps.json'),
      await readFile(app.at('app/Microsoft.NETCore.App.deps.json'), 'utf8'),
    );
    const inside = await app.stage('dotnet-core');
    expect(inside, inside.output).toMatchObject({ code: 0 });
    expect(inside.output).toContain('web has its runtime inside');
    await answers(app, './web', '.NET', /^8\.0\.\d+ False\n$/);

    const archive = join(scratch.path, 'runtime.tar.gz');
    execFileSync('sh', ['-c', 'tar -c -C "$1" . | gzip -1 > "$2"', 'sh', runtime, archive]);
    const hash = createHash('sha512')
      .update(await readFile(archive))
      .digest('hex');
    const files = [{ name: 'dotnet-runtime-linux-x64.tar.gz', rid: 'linux-x64', hash }];
    const server = createServer((request, response) => {
      if (request.url === '/dotnet/release-metadata/releases-index.json') {
        response.end(
          JSON.stringify({
            'releases-index': [{ 'channel-version': '9.0' }, { 'channel-version': '8.0' }],
          }),
        );
      } else if (request.url === '/dotnet/release-metadata/8.0/releases.json') {
        response.end(JSON.stringify({ releases: [{ runtime: { version: '8.0.99', files } }] }));
      } else if (request.url === '/dotnet/Runtime/8.0.99/dotnet-runtime-8.0.99-linux-x64.tar.gz') {
        createReadStream(archive).pipe(response);
      } else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    try {
      await app.restart('dotnet-web');
      app.env['STAGER_DOTNET_MIRROR'] = `http://user:secret@127.0.0.1:${port}/dotnet/`;
      const mirrored = await app.stage('dotnet-core');
      expect(mirrored, mirrored.output).toMatchObject({ code: 0 });
      expect(mirrored.output).toContain('Installing Microsoft.NETCore.App 8.0.99 (Microsoft)');
      expect(mirrored.output).not.toContain('secret');
      expect(await readFile(app.at('deps/0/installed.json'), 'utf8')).toContain('dotnet:Runtime/8.0.99/');
    } finally {
      server.closeAllConnections();
      server.close();
      await scratch.cleanup();
    }
  });
});
