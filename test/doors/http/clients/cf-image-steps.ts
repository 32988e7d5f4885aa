/** `cf push --docker-image`, against a registry in this process. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type MemoryRegistry, startMemoryRegistry } from '../../../support/memory-registry.ts';
import type { Served } from '../support/served.ts';
import type { Cf } from './cf.ts';

const PASSWORD = { CF_DOCKER_PASSWORD: 'correct-horse' };

export function imageSteps({ cf, served }: { readonly cf: () => Cf; readonly served: () => Served }): void {
  describe('with images of docker', () => {
    let registry: MemoryRegistry;
    let image = '';
    let hidden = '';
    beforeAll(async () => {
      registry = await startMemoryRegistry(served().registryPorts[0]);
      image = registry.add({ name: 'shop/web:v1', config: { Cmd: ['/web'], User: '1000' } });
      hidden = registry.add({ name: 'shop/hidden:v1', login: 'me:correct-horse' });
    });
    afterAll(() => registry[Symbol.asyncDispose]());

    it('says that an admin has to allow them', async () => {
      const said = await cf().refused(['push', 'image', '--docker-image', image, '--no-start']);
      expect(said).toContain('Feature Disabled: diego_docker');
      await cf().ok(['enable-feature-flag', 'diego_docker']);
    });

    it('pushes one, stages it, and shows what it is', async () => {
      await cf().ok(['push', 'image', '--docker-image', image, '--no-start', '--no-manifest']);
      expect(await cf().ok(['stage-package', 'image'])).toContain('Staging Complete');
      expect(await cf().ok(['packages', 'image'])).toMatch(/ready/i);
      const droplets = await cf().ok(['droplets', 'image']);
      const [guid = ''] = /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(droplets) ?? [];
      await cf().ok(['set-droplet', 'image', guid]);
      expect(await cf().ok(['app', 'image'])).toMatch(new RegExp(`docker image: +${image}`));
      await cf().ok(['create-app-manifest', 'image', '-p', 'image.yml']);
      expect(await cf().refused(['download-droplet', 'image'])).toContain("'docker' lifecycle");
    });

    it('pushes a private one with its password, by a manifest as well', async () => {
      const user = ['--docker-username', 'me'];
      const push = ['push', 'hidden', '--docker-image', hidden, '--no-manifest'];
      const said = await cf().refused([...push, ...user], PASSWORD);
      expect(said).toContain('Staging Complete');
      expect(said).toContain('stager does not have a place to run apps');
      expect(said).not.toContain(PASSWORD.CF_DOCKER_PASSWORD);
      await cf().write({
        'hidden.yml': `applications: [{ name: hidden, docker: { image: "${hidden}", username: me } }]\n`,
      });
      expect(await cf().refused(['push', '-f', 'hidden.yml'], PASSWORD)).toContain('Staging Complete');
    });

    it('says why one can not be staged', async () => {
      const push = (ref: string) => ['push', 'failing', '--docker-image', ref, '--no-manifest'];
      expect(await cf().refused(push(hidden))).toMatch(/refused access[\s\S]*CF_DOCKER_PASSWORD/);
      expect(await cf().refused(push(`${registry.host}/none`))).toContain('none:latest is not there');
      expect(await cf().refused(push('127.0.0.1:1/none'))).toContain(
        'egress rules of this server do not allow',
      );
    });

    it('copies one to another app, and keeps it out of apps of another kind', async () => {
      await cf().ok(['create-app', 'copy', '--app-type', 'docker']);
      await cf().ok(['copy-source', 'image', 'copy', '--no-restart']);
      await cf().ok(['create-package', 'copy', '--docker-image', image]);
      await cf().ok(['create-app', 'of-bits']);
      const said = await cf().refused(['create-package', 'of-bits', '--docker-image', image]);
      expect(said).toContain('Cannot create Docker package for a buildpack app.');
      await cf().ok(['disable-feature-flag', 'diego_docker']);
    });
  });
}
