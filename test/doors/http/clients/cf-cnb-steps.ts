/** `cf push --lifecycle cnb`, with a buildpack from a registry in this process. */
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { type MemoryRegistry, startMemoryRegistry } from '../../../support/memory-registry.ts';
import type { Served } from '../support/served.ts';
import type { Cf } from './cf.ts';

const HELLO = 'cnb/buildpacks/test_hello/1.0.0';
/** It keeps a layer for the next build, and says when it got it back. */
const BUILD = `#!/bin/sh
set -e
kept="$CNB_LAYERS_DIR/kept"
if [ -f "$kept/file" ]; then echo "kept from before"; fi
mkdir -p "$kept"
echo "$GREETING" > "$kept/file"
printf '[types]\\nbuild = true\\ncache = true\\n' > "$kept.toml"
printf '[[processes]]\\ntype = "web"\\ncommand = ["cat", "index.html"]\\n' > "$CNB_LAYERS_DIR/launch.toml"
`;

export function cnbSteps({ cf, served }: { readonly cf: () => Cf; readonly served: () => Served }): void {
  describe('with cloud native buildpacks', () => {
    let registry: MemoryRegistry;
    let buildpack = '';
    let credentials = {};
    let isKnown = false;
    beforeAll(async () => {
      registry = await startMemoryRegistry(served().registryPorts[1]);
      const label = JSON.stringify({ id: 'test/hello', version: '1.0.0' });
      const image = registry.add({
        name: 'test/hello:v1',
        login: 'me:correct-horse',
        config: { Labels: { 'io.buildpacks.buildpackage.metadata': label } },
        files: {
          [`${HELLO}/buildpack.toml`]: 'api = "0.10"\n[buildpack]\nid = "test/hello"\nversion = "1.0.0"\n',
          [`${HELLO}/bin/detect`]: '#!/bin/sh\ntest -f index.html\n',
          [`${HELLO}/bin/build`]: BUILD,
        },
      });
      buildpack = `docker://${image}`;
      const login = { [registry.host]: { username: 'me', password: 'correct-horse' } };
      credentials = { CF_CNB_REGISTRY_CREDS: JSON.stringify(login) };
      isKnown = (await cf().ok(['help', 'push'])).includes('--lifecycle');
    });
    afterAll(() => registry[Symbol.asyncDispose]());
    const demandKnown = ({ skip }: TestContext): void =>
      skip(!isKnown, 'NOT RUN: this version of cf has no --lifecycle');
    const push = (...more: readonly string[]) => [
      ...['push', 'native', '--lifecycle', 'cnb', '-b', buildpack, '--no-manifest', '-p', 'two/one'],
      ...more,
    ];

    it('says that an admin has to allow them', async (context) => {
      demandKnown(context);
      expect(await cf().refused(push('--no-start'))).toContain('Feature Disabled: diego_cnb');
      await cf().ok(['enable-feature-flag', 'diego_cnb']);
    });

    it('says why a buildpack can not be fetched', async (context) => {
      demandKnown(context);
      expect(await cf().refused(push())).toMatch(
        /CNBDownloadBuildpackFailed - cnb: [\s\S]*refused access[\s\S]*CF_CNB_REGISTRY_CREDS/,
      );
    });

    it('stages with one, with credentials, and keeps its layers for the next build', async (context) => {
      demandKnown(context);
      await cf().ok(push('--no-start'), credentials);
      await cf().ok(['set-env', 'native', 'GREETING', 'hi']);
      const first = await cf().ok(['stage-package', 'native']);
      expect(first).toContain('Staging complete');
      expect(first).not.toMatch(/kept from before|correct-horse/);
      const second = await cf().ok(['stage-package', 'native']);
      expect(second).toContain('kept from before');
      const droplets = await cf().ok(['droplets', 'native']);
      const [guid = ''] = /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(droplets) ?? [];
      await cf().ok(['set-droplet', 'native', guid]);
      expect(await cf().ok(['app', 'native'])).toMatch(/test\/hello +1\.0\.0/);
      const shown = await cf().ok(['curl', `/v3/droplets/${guid}`]);
      expect(shown).toMatch(/"web": ?"cat index.html"/);
      await cf().ok(['download-droplet', 'native', '--droplet', guid, '--path', 'native.tgz']);
    });

    it('stages by a manifest', async (context) => {
      demandKnown(context);
      await cf().write({
        'native.yml': `applications: [{ name: native, lifecycle: cnb, path: two/one, buildpacks: ["${buildpack}"] }]\n`,
      });
      expect(await cf().refused(['push', '-f', 'native.yml'], credentials)).toContain('Staging complete');
    });

    it('keeps an app in its lifecycle', async (context) => {
      demandKnown(context);
      const other = ['push', 'native', '--lifecycle', 'buildpack', '--no-manifest', '-p', 'two/one'];
      expect(await cf().refused(other)).toContain('Lifecycle type cannot be changed from cnb to buildpack');
      await cf().ok(['disable-feature-flag', 'diego_cnb']);
    });
  });
}
