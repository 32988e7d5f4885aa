/** Packages, builds, droplets, buildpacks and stacks by `cf`. */
import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { zipDirectory } from '../support/served.ts';
import type { Cf } from './cf.ts';

export function stagingSteps(cf: () => Cf): void {
  it('creates an app, sends a package and stages it, with the log to its last line', async () => {
    expect(await cf().ok(['create-app', 'shop'])).toContain('OK');
    expect(await cf().ok(['create-package', 'shop', '-p', './shop'])).toMatch(/Package with guid '/);
    const said = await cf().ok(['stage-package', 'shop']);
    expect(said).toMatch(/Downloading app package[\s\S]*Staging complete\n[\s\S]*state: +staged/);
    expect(await cf().ok(['packages', 'shop'])).toMatch(/ ready /);
  });

  it('lists, sets and downloads droplets', async () => {
    const guid = newestGuid(await cf().ok(['droplets', 'shop']));
    expect(await cf().ok(['set-droplet', 'shop', guid])).toContain('OK');
    expect(await cf().ok(['droplets', 'shop'])).toMatch(new RegExp(`${guid} \\(current\\) +staged`));
    await cf().ok(['download-droplet', 'shop', '--path', './current.tgz']);
    await cf().ok(['download-droplet', 'shop', '--droplet', guid]);
    const [current, named] = await Promise.all(
      ['current.tgz', `droplet_${guid}.tgz`].map((name) => readFile(join(cf().dir, name))),
    );
    expect(named).toEqual(current);
    expect(gunzipSync(current ?? '').includes('./app/')).toBe(true);
  });

  it('stages a package that is named', async () => {
    const guid = newestGuid(await cf().ok(['packages', 'shop']));
    expect(await cf().ok(['stage-package', 'shop', '--package-guid', guid])).toMatch(/state: +staged/);
  });

  it('creates, moves, disables, fills, renames and deletes a buildpack', async () => {
    await cf().write({
      'buildpack/bin/detect': '#!/bin/sh\nexit 1\n',
      'buildpack/bin/compile': '#!/bin/sh\n',
      'buildpack/bin/release': '#!/bin/sh\necho "default_process_types: {web: true}"\n',
    });
    for (const name of ['detect', 'compile', 'release'])
      await chmod(join(cf().dir, 'buildpack/bin', name), 0o755);
    zipDirectory(join(cf().dir, 'buildpack'), join(cf().dir, 'buildpack.zip'));
    await cf().ok(['create-buildpack', 'mine', './buildpack.zip', '1']);
    // Version 7 has no column for the state.
    expect(await cf().ok(['buildpacks'])).toMatch(/\n1 +mine .* (READY +)?buildpack\.zip/);
    expect(await cf().ok(['curl', '/v3/buildpacks?names=mine'])).toMatch(/"state": ?"READY"/);
    await cf().ok(['update-buildpack', 'mine', '-i', '3', '--disable']);
    expect(await cf().ok(['buildpacks'])).toMatch(/\n3 +mine +false/);
    await cf().ok(['update-buildpack', 'mine', '--enable']);
    await cf().ok(['update-buildpack', 'mine', '--lock']);
    await cf().ok(['update-buildpack', 'mine', '--unlock']);
    await cf().ok(['update-buildpack', 'mine', '-p', './buildpack.zip']);
    await cf().ok(['delete-buildpack', 'mine', '-f']);
    expect(await cf().ok(['buildpacks'])).not.toContain('mine');
  });

  it('shows stacks', async () => {
    expect(await cf().ok(['stacks'])).toContain('cflinuxfs4');
    expect(await cf().ok(['stack', 'cflinuxfs4'])).toMatch(/description: +\S/);
    expect(await cf().refused(['stack', 'nothing'])).toContain('nothing');
  });
}

/** The guid in the first row of a table. */
function newestGuid(table: string): string {
  return /\n([0-9a-f]{8}-[0-9a-f-]{27}) /.exec(table)?.[1] ?? '';
}
