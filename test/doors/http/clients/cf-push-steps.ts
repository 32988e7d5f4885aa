/** `cf push` as far as it goes without a place to run apps. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { zipDirectory } from '../support/served.ts';
import type { Cf } from './cf.ts';

export function pushSteps(cf: () => Cf): void {
  it('pushes by a manifest with variables', async () => {
    const manifest = ['push', '--no-start', '-f', 'shop/manifest.yml', '-p', 'shop'];
    await cf().ok([...manifest, '--var', 'app=shop', '--var', 'greeting=hi']);
    expect(await cf().ok(['env', 'shop'])).toMatch(/GREETING: +hi/);
    await cf().ok([...manifest, '--vars-file', 'vars.yml']);
    expect(await cf().ok(['env', 'shop'])).toMatch(/GREETING: +ho/);
    expect(await cf().refused(manifest)).toMatch(/Expected to find variables: /);
  });

  it('pushes several apps, and one of them', async () => {
    const said = await cf().ok(['push', '--no-start', '-f', 'two/manifest.yml']);
    expect(said).toContain('Pushing apps one, two');
    expect(said).toContain('one.apps.localhost');
    expect(said).not.toContain('two.apps.localhost');
    await cf().ok(['push', 'two', '--no-start', '-f', 'two/manifest.yml']);
  });

  it('pushes without a route, for tasks, and with two buildpacks', async () => {
    const app = ['--no-start', '--no-manifest', '-p', 'two/one'];
    expect(await cf().ok(['push', 'routeless', ...app, '--no-route'])).toMatch(/routes: *\n/);
    await cf().ok(['push', 'twice', ...app, '-b', 'nodejs_buildpack', '-b', 'staticfile_buildpack']);
    expect(await cf().ok(['curl', '/v3/apps?names=twice'])).toMatch(
      /nodejs_buildpack[\s\S]*staticfile_build/,
    );
    const task = await cf().ok(['push', 'job', '--task', '--no-manifest', '-p', 'two/one']);
    expect(task).toContain('Staging complete');
  });

  it('pushes an archive', async () => {
    zipDirectory(join(cf().dir, 'two/one'), join(cf().dir, 'app.jar'));
    await cf().ok(['push', 'jar', '--no-start', '--no-manifest', '-p', 'app.jar']);
    const said = await cf().ok(['stage-package', 'jar']);
    expect(said).toContain('Staging complete');
  });

  it('stages what is pushed with a start, and says plainly that nothing runs here', async () => {
    const said = await cf().refused(['push', 'one', '--no-manifest', '-p', 'two/one']);
    expect(said).toContain('Staging complete');
    expect(said).toContain('stager does not have a place to run apps');
  });

  it.each(['rolling', 'canary'])('refuses the strategy %s plainly', async (strategy) => {
    const said = await cf().refused(['push', 'shop', '--no-manifest', '-p', 'shop', '--strategy', strategy]);
    // Version 7 knows no canary, and asks nobody.
    expect(said).toMatch(/stager does not have deployments|STRATEGY must be "rolling" or not set/);
  });
}
