/** Apps and what belongs to one, by `cf`. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Cf } from './cf.ts';

export function appSteps(cf: () => Cf): void {
  it('shows apps', async () => {
    expect(await cf().ok(['app', 'shop'])).toMatch(/requested state: +stopped[\s\S]*staticfile_buildpack/);
    expect(await cf().ok(['apps'])).toMatch(/\nshop +stopped +web:0\/1 +shop\.apps\.localhost/);
    expect(await cf().refused(['app', 'nothing'])).toMatch(/App 'nothing' not found/);
  });

  it('sets and unsets variables', async () => {
    await cf().ok(['set-env', 'shop', 'COLOUR', 'blue']);
    expect(await cf().ok(['env', 'shop'])).toMatch(/COLOUR: +blue/);
    await cf().ok(['unset-env', 'shop', 'COLOUR']);
    expect(await cf().ok(['env', 'shop'])).not.toContain('COLOUR');
  });

  it('writes a manifest of an app, and applies one', async () => {
    await cf().ok(['create-app-manifest', 'shop', '-p', './written.yml']);
    const written = await readFile(join(cf().dir, 'written.yml'), 'utf8');
    expect(written).toMatch(/name: shop[\s\S]*GREETING: ho/);
    expect(await cf().ok(['apply-manifest', '-f', 'written.yml'])).toContain('OK');
    await cf().ok([
      ...['apply-manifest', '-f', 'shop/manifest.yml'],
      ...['--var', 'app=shop', '--var', 'greeting=hey'],
    ]);
    expect(await cf().ok(['env', 'shop'])).toMatch(/GREETING: +hey/);
  });

  it('binds a service, which arrives in VCAP_SERVICES', async () => {
    await cf().ok(['create-user-provided-service', 'db', '-p', 'passwords.json']);
    expect(await cf().ok(['bind-service', 'shop', 'db'])).toContain('OK');
    expect(await cf().ok(['services'])).toMatch(/\ndb +user-provided +shop/);
    expect(await cf().ok(['service', 'db'])).toMatch(/(type|service): +user-provided/);
    expect(await cf().ok(['env', 'shop'])).toMatch(/VCAP_SERVICES[\s\S]*"password": "hunter2"/);
    await cf().ok(['update-user-provided-service', 'db', '-p', '{"password":"hunter3"}']);
    expect(await cf().ok(['unbind-service', 'shop', 'db'])).toContain('OK');
    await cf().ok(['delete-service', 'db', '-f']);
  });

  it('shows logs and events', async () => {
    expect(await cf().ok(['logs', 'shop', '--recent'])).toMatch(/\[STG\/0\] +OUT Staging complete/);
    expect(await cf().ok(['events', 'shop'])).toMatch(/audit\.app\.update +admin/);
  });

  it('copies the bits of an app, renames and deletes it', async () => {
    await cf().ok(['copy-source', 'shop', 'routeless', '--no-restart']);
    expect(await cf().ok(['packages', 'routeless'])).toMatch(/ ready /);
    await cf().ok(['rename', 'routeless', 'renamed']);
    await cf().ok(['delete', 'renamed', '-f']);
    expect(await cf().ok(['apps'])).not.toContain('renamed');
  });

  it.each([
    { what: 'a start', args: ['restart', 'shop'] },
    { what: 'a task', args: ['run-task', 'shop', '--command', 'true'] },
  ])('says plainly that there is no place for $what', async ({ args }) => {
    const said = await cf().refused(args);
    // In the order of two streams.
    expect(said).toMatch(/^stager does not have /m);
    expect(said).toMatch(/^FAILED$/m);
  });
}
