/** The hwc buildpack: apps of .NET Framework are known, and refused in a sentence. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Driver } from '../support/buildpack-driver.ts';

async function appOf(files: Readonly<Record<string, string>>): Promise<Driver> {
  const app = await Driver.of('procfile-multi');
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(app.at('app', name)), { recursive: true });
    await writeFile(app.at('app', name), text);
  }
  return app;
}

describe('hwc buildpack', () => {
  it.each<[string, Readonly<Record<string, string>>, number, string]>([
    ['an app of IIS', { 'Web.config': '', 'bin/App.dll': '' }, 0, 'hwc '],
    ['one in other case', { 'web.CONFIG': '', 'Bin/App.DLL': '' }, 0, 'hwc '],
    [
      'one with a project of the old form',
      { 'Web.config': '', 'bin/a.dll': '', 'a.csproj': '<Project ToolsVersion="15.0">' },
      0,
      'hwc ',
    ],
    [
      'published .NET 8',
      { 'web.config': '', 'bin/a.dll': '', 'a.runtimeconfig.json': '{}' },
      1,
      'runs on Linux',
    ],
    [
      'a project with an SDK',
      { 'web.config': '', 'bin/a.dll': '', 'a.csproj': '<Project Sdk="Microsoft.NET.Sdk.Web">' },
      1,
      'runs on Linux',
    ],
    ['no programs', { 'Web.config': '' }, 1, 'without bin/*.dll'],
    ['anything else', {}, 1, 'no Web.config'],
  ])('detects %s as such', async (_what, files, code, says) => {
    await using app = await appOf(files);
    expect(await app.detect('hwc')).toMatchObject({ code, output: expect.stringContaining(says) });
  });

  it('refuses to stage it, with two ways out', async () => {
    await using app = await appOf({ 'Web.config': '', 'bin/App.dll': '' });
    const staged = await app.stage('hwc');
    expect(staged.code).toBe(1);
    expect(staged.output).toContain('**ERROR** This is a .NET Framework app for Windows (IIS)');
    expect(staged.output).toContain('dotnet publish -r linux-x64 --self-contained');
    expect(staged.output).toContain('Windows cells');
  });
});
