/** Labels, organizations, spaces, users, variable groups, flags and sign-in, by `cf`. */
import { expect, it } from 'vitest';
import { PASSWORD, type Served } from '../support/served.ts';
import { Cf } from './cf.ts';

export function platformSteps(over: { readonly cf: () => Cf; readonly served: () => Served }): void {
  const { cf, served } = over;

  it.each([
    ['app', 'shop'],
    ['org', 'acme'],
    ['space', 'dev'],
    ['stack', 'cflinuxfs4'],
    ['buildpack', 'staticfile_buildpack'],
  ])('labels: %s', async (kind, name) => {
    await cf().ok(['set-label', kind, name, 'tier=gold', 'team=blue']);
    expect(await cf().ok(['labels', kind, name])).toMatch(/team +blue\ntier +gold/);
    await cf().ok(['unset-label', kind, name, 'tier']);
    expect(await cf().ok(['labels', kind, name])).not.toContain('gold');
  });

  it('makes, lists, renames and deletes organizations and spaces', async () => {
    await cf().ok(['create-org', 'other']);
    await cf().ok(['create-space', 'prod', '-o', 'other']);
    expect(await cf().ok(['orgs'])).toMatch(/\nacme\n[\s\S]*other/);
    expect(await cf().ok(['spaces'])).toMatch(/\ndev\n/);
    expect(await cf().ok(['org', 'other'])).toMatch(/spaces: +prod/);
    expect(await cf().ok(['space', 'dev'])).toMatch(/org: +acme/);
    await cf().ok(['rename-org', 'other', 'another']);
    await cf().ok(['delete-space', 'prod', '-o', 'another', '-f']);
    await cf().ok(['delete-org', 'another', '-f']);
    expect(await cf().ok(['orgs'])).not.toContain('another');
  });

  it('makes users and gives them roles', async () => {
    await cf().ok(['create-user', 'ada', 'lovelace-1815']);
    await cf().ok(['set-org-role', 'ada', 'acme', 'OrgManager']);
    await cf().ok(['set-space-role', 'ada', 'acme', 'dev', 'SpaceDeveloper']);
    expect(await cf().ok(['org-users', 'acme'])).toMatch(/ORG MANAGER\n +ada/);
    expect(await cf().ok(['space-users', 'acme', 'dev'])).toMatch(/SPACE DEVELOPER\n( +admin.*\n)? +ada/);
  });

  it('lets a developer in with her password, and only where she has a role', async () => {
    await cf().ok(['create-org', 'secret']);
    const hers = await Cf.make(cf().program, served(), 'hers');
    await hers.ok([
      'login',
      '-a',
      served().url,
      '-u',
      'ada',
      '-p',
      'lovelace-1815',
      '-o',
      'acme',
      '-s',
      'dev',
    ]);
    expect(await hers.ok(['apps'])).toContain('shop');
    expect(await hers.ok(['orgs'])).not.toContain('secret');
    expect(await hers.refused(['create-user', 'eve', 'x'])).toContain('FAILED');
    await hers.ok(['logout']);
    expect(await hers.refused(['apps'])).toContain('Not logged in');
    await cf().ok(['unset-space-role', 'ada', 'acme', 'dev', 'SpaceDeveloper']);
    await cf().ok(['delete-user', 'ada', '-f']);
    expect(await hers.refused(['auth', 'ada', 'lovelace-1815'])).toContain('Credentials were rejected');
  });

  it.each(['staging', 'running'])('sets and shows the variable group for %s', async (group) => {
    await cf().ok([`set-${group}-environment-variable-group`, '{"SHARED":"yes"}']);
    expect(await cf().ok([`${group}-environment-variable-group`])).toMatch(/SHARED +yes/);
    await cf().ok([`set-${group}-environment-variable-group`, '{}']);
  });

  it('shows and changes feature flags', async () => {
    expect(await cf().ok(['feature-flags'])).toMatch(/diego_docker +disabled/);
    await cf().ok(['enable-feature-flag', 'user_org_creation']);
    expect(await cf().ok(['feature-flag', 'user_org_creation'])).toContain('enabled');
    await cf().ok(['disable-feature-flag', 'user_org_creation']);
  });

  it('asks the API directly, and shows the token', async () => {
    expect(await cf().ok(['curl', '/v3/builds'])).toMatch(/"state": ?"STAGED"/);
    expect(await cf().ok(['oauth-token'])).toMatch(/^bearer \S+\.\S+\.\S+\n$/);
  });

  it('signs in again with a password', async () => {
    await cf().ok(['login', '-a', served().url, '-u', 'admin', '-p', PASSWORD, '-o', 'acme', '-s', 'dev']);
    expect(await cf().ok(['target'])).toMatch(/org: +acme\nspace: +dev/);
    expect(await cf().refused(['auth', 'admin', 'wrong'])).toContain('Credentials were rejected');
    await cf().ok(['auth', 'admin', PASSWORD]);
    await cf().ok(['target', '-o', 'acme', '-s', 'dev']);
    await cf().ok(['delete', 'shop', '-f', '-r']);
  });
}
