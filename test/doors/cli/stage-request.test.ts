import { describe, expect, it } from 'vitest';
import { type Flags, loadConfig } from '../../../src/config/load.ts';
import { stageRequest } from '../../../src/doors/cli/input/stage-request.ts';
import { readManifest } from '../../../src/staging/manifest/read.ts';

/** The request for the one app of a manifest. */
async function requested(keys: string, flags: Flags = {}) {
  const text = `applications:\n- name: shop\n${keys}`;
  const { apps } = readManifest({ file: 'manifest.yml', text, variables: {} });
  const [app] = apps;
  if (app === undefined) throw new Error('the manifest has an app');
  const config = await loadConfig({ flags, env: { HOME: '/nonexistent' }, cwd: '/' });
  return await stageRequest(config, { source: '.', app });
}

describe('an app of a manifest', () => {
  it('gets at least the memory and disk of a staging without one, and what a flag says', async () => {
    expect(await requested('  memory: 64M\n  disk_quota: 8G\n')).toMatchObject({
      memoryMb: 1024,
      diskMb: 8192,
    });
    expect(await requested('  memory: 2G\n', { memory: '128M' })).toMatchObject({ memoryMb: 128 });
    expect(
      await requested(
        '  memory: 4G\n  processes: [{ type: web, memory: 2G }, { type: worker, memory: 8G }]\n',
      ),
    ).toMatchObject({ memoryMb: 2048 });
  });

  it.each([
    ['  buildpacks: [a, b]\n', ['a', 'b']],
    ['  buildpack: a\n', ['a']],
    ['  buildpack: default\n', []],
    ['  buildpack:\n', []],
    ['  buildpacks:\n', []],
  ])('with %j has the order %j', async (keys, order) => {
    expect((await requested(keys)).buildpacks).toEqual(order);
    expect((await requested(keys, { buildpacks: ['c'] })).buildpacks).toEqual(['c']);
    expect((await requested(keys, { buildpacks: ['default'] })).buildpacks).toEqual([]);
  });

  it('has its variables as texts, those of flags over them', async () => {
    const { env } = await requested('  env: { A: 1, B: yes, C: [1, x], D: { e: f }, E: , F: 1 }\n', {
      env: ['F=2'],
    });
    expect(env).toEqual({ A: '1', B: 'true', C: '[1,"x"]', D: '{"e":"f"}', E: '', F: '2' });
    await expect(requested('  env: { VCAP_X: 1 }\n')).rejects.toMatchObject({ code: 'ENV_NAME_REFUSED' });
  });

  it('says what it runs and how it is checked; an entry for web counts alone', async () => {
    const web = '  command: a\n  health-check-type: none\n  timeout: 5\n';
    expect((await requested(web)).launch).toEqual({
      commands: { web: 'a' },
      sidecars: [],
      healthChecks: { web: { type: 'process', startTimeoutMs: 5000 } },
    });
    const processes =
      '  processes: [{ type: web, health-check-http-endpoint: /up }, { type: w, command: b, health-check-interval: 2 }]\n';
    expect((await requested(web + processes)).launch).toEqual({
      commands: { w: 'b' },
      sidecars: [],
      healthChecks: { web: { type: 'port', httpEndpoint: '/up' }, w: { type: 'process', intervalMs: 2000 } },
    });
    expect((await requested('  memory: 2G\n  disk_quota: 3G\n  env: { A: secret }\n')).launch).toEqual({
      commands: {},
      sidecars: [],
      memoryMb: { web: 2048 },
      diskMb: { web: 3072 },
      envNames: ['A'],
    });
    expect((await requested('')).launch).toBeUndefined();
  });

  it('is locked under its name', async () => {
    expect((await requested('', { lock: true })).lock).toMatchObject({ app: 'shop', mode: 'write' });
    await expect(requested('', { lock: true, frozen: true })).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('says which of its services are not there', async () => {
    expect((await requested('  services: [db, { name: mq }]\n')).notes).toEqual([
      'service db of application shop is not in the --services document: it is not bound',
      'service mq of application shop is not in the --services document: it is not bound',
    ]);
  });
});

describe('a bundle', () => {
  it('is recorded from an empty cache, and used without a network', async () => {
    expect(await requested('', { recordDependencies: 'b' })).toMatchObject({
      bundle: { mode: 'record', dir: '/b' },
      cache: 'clear',
      network: 'auto',
    });
    expect(await requested('', { offline: 'b', network: 'none' })).toMatchObject({
      bundle: { mode: 'offline', dir: '/b' },
      cache: 'none',
      network: 'none',
    });
  });

  it.each<Flags>([
    { recordDependencies: 'b', offline: 'b' },
    { recordDependencies: 'b', reuse: true },
    { recordDependencies: 'b', noCache: true },
    { offline: 'b', clearCache: true },
    { offline: 'b', network: 'host' },
  ])('is not combined with what contradicts it: %j', async (flags) => {
    await expect(requested('', flags)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('cannot be used together'),
    });
  });
});
