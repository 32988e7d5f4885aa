import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseImageReference } from '../../../src/stores/registry/reference.ts';
import { type DockerRegistry, hasProgram, startRegistry } from '../../support/docker-registry.ts';
import { skopeo } from '../../support/engines.ts';
import { clientFor, push, read, smallImage } from './support.ts';

const here = hasProgram('docker-registry');
if (!here)
  process.stderr.write('NOT RUN: docker-registry is not installed (apt-get install docker-registry)\n');

describe.runIf(here)("with Debian's registry", () => {
  let registry: DockerRegistry;
  beforeAll(async () => {
    registry = await startRegistry();
  });
  afterAll(async () => await registry[Symbol.asyncDispose]());

  it('an image that was pushed comes back, byte for byte, by tag and by digest', async () => {
    const image = smallImage();
    const summary = await push(image, `${registry.host}/a/b:v1`);
    expect(summary).toMatchObject({ digest: image.digest, uploaded: 2, present: 0, mounted: 0 });
    for (const name of [`${registry.host}/a/b:v1`, `${registry.host}/a/b@${image.digest}`]) {
      const reference = parseImageReference(name);
      const client = clientFor();
      const found = await client.image(reference);
      expect(found.digest).toBe(image.digest);
      const [layer] = found.manifest.layers;
      if (layer === undefined) throw new Error('no layer');
      expect((await read(await client.blob(reference, layer))).equals(image.layer)).toBe(true);
    }
    if (hasProgram('skopeo')) {
      const seen = skopeo(tmpdir(), 'inspect', '--tls-verify=false', `docker://${registry.host}/a/b:v1`);
      expect(JSON.parse(seen)).toMatchObject({ Digest: image.digest });
    }
  });

  it('nothing is uploaded twice, and blobs are taken over from another repository', async () => {
    const image = smallImage();
    await push(image, `${registry.host}/first:v1`);
    expect(await push(image, `${registry.host}/first:v2`)).toMatchObject({ uploaded: 0, present: 2 });
    const from = parseImageReference(`${registry.host}/first:v1`);
    const mounting = { ...image, blobs: image.blobs.map((blob) => ({ ...blob, from })) };
    expect(await push(mounting, `${registry.host}/second:v1`)).toMatchObject({ uploaded: 0, mounted: 2 });
  });

  it('says which image is not there', async () => {
    const wanted = parseImageReference(`${registry.host}/none:v1`);
    await expect(clientFor().image(wanted)).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
  });

  it('lets in who has the password, and nobody else', async () => {
    // bcrypt of "secret"
    await using closed = await startRegistry({
      htpasswd: 'me:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n',
    });
    const target = `${closed.host}/app:v1`;
    await expect(push(smallImage(), target)).rejects.toMatchObject({ code: 'REGISTRY_DENIED' });
    const wrong = clientFor({ as: { kind: 'basic', username: 'me', password: 'wrong' } });
    await expect(push(smallImage(), target, wrong)).rejects.toMatchObject({ code: 'REGISTRY_DENIED' });
  });
});
