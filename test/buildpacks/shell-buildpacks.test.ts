/** binary and procfile: no Node, nothing installed. */
import { readFileSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { Driver } from '../support/buildpack-driver.ts';

describe('binary buildpack', () => {
  it('is never detected', async () => {
    await using app = await Driver.of('procfile-multi');
    expect(await app.detect('binary')).toEqual({ code: 1, output: '' });
  });

  it('has a web process that says what is missing and fails', async () => {
    await using app = await Driver.of('procfile-multi');
    const released = await app.release('binary');
    const web: unknown = parse(released.output).default_process_types.web;
    expect(released.code).toBe(0);
    const { spawnSync } = await import('node:child_process');
    const run = spawnSync('bash', ['--norc', '-c', String(web)], { encoding: 'utf8' });
    expect(run.status).toBe(1);
    expect(run.stderr).toContain('no start command');
  });

  it('leaves what earlier buildpacks supplied for run time, and the app as it was', async () => {
    await using app = await Driver.of('procfile-multi');
    const supplier = app.at('supplier');
    await mkdir(`${supplier}/bin`, { recursive: true });
    const script =
      '#!/bin/sh\nmkdir -p "$3/$4/bin" "$3/$4/profile.d"\necho "export SUPPLIED=yes" >"$3/$4/profile.d/x.sh"\n';
    await writeFile(`${supplier}/bin/supply`, script, { mode: 0o755 });
    const before = await readdir(app.at('app'), { recursive: true });
    expect(await app.stage(supplier, 'binary')).toEqual({ code: 0, output: '' });
    expect(await readdir(app.at('app'), { recursive: true })).toEqual(before);
    expect((await readdir(app.at('profile.d'))).sort()).toEqual(['000_multi-supply.sh', '0_x.sh']);
    expect(readFileSync(app.at('profile.d/000_multi-supply.sh'), 'utf8')).toContain('$DEPS_DIR/0/bin');
    expect(parse(readFileSync(app.at('deps/1/config.yml'), 'utf8'))).toMatchObject({ name: 'binary' });
  });
});

describe('procfile buildpack', () => {
  it('is detected by a Procfile, and adds no process of its own', async () => {
    await using app = await Driver.of('procfile-multi');
    expect(await app.detect('procfile')).toEqual({ code: 0, output: 'procfile\n' });
    expect(parse((await app.release('procfile')).output)).toEqual({});
    expect(await app.stage('procfile')).toEqual({ code: 0, output: '' });
    await using other = await Driver.of('express');
    expect((await other.detect('procfile')).code).toBe(1);
  });

  it('runs the fixture app, whose web process answers', async () => {
    await using app = await Driver.of('procfile-multi');
    await app.stage('procfile');
    const run = await app.launch('bin/web', async (url) => {
      expect(await (await fetch(url)).text()).toBe('web without sidecar\n');
    });
    expect(run).toMatchObject({ code: 0, output: expect.stringContaining('web stops') });
  });
});
