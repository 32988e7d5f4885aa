import { describe, expect, it } from 'vitest';
import type { ImageBase } from '../../../src/staging/image/bases.ts';
import { lifecycleMetadata, rebasedLabel, rebaseObstacles } from '../../../src/staging/image/cnb-rebase.ts';
import { pathPattern } from '../../../src/staging/image/cnb-slices.ts';
import { parseImageReference } from '../../../src/stores/registry/reference.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const LABEL = 'io.buildpacks.lifecycle.metadata';

interface Facts {
  readonly labels?: Readonly<Record<string, string>>;
  readonly variant?: string;
  readonly api?: string;
}

function image(name: string, { labels = {}, variant, api }: Facts = {}): ImageBase {
  return {
    name,
    reference: parseImageReference(name),
    digest: DIGEST,
    layers: [],
    config: {
      os: 'linux',
      architecture: 'amd64',
      ...(variant !== undefined && { variant }),
      config: { Labels: labels, Env: api === undefined ? [] : [`CNB_PLATFORM_API=${api}`] },
      rootfs: { type: 'layers', diff_ids: [] },
    },
  };
}

const label = (runImage: Readonly<Record<string, unknown>>, more = {}): string =>
  JSON.stringify({ app: [], runImage: { topLayer: 'sha256:old', ...runImage }, ...more });

function obstacles(app: Facts, base: ImageBase, runImage: Readonly<Record<string, unknown>> = {}): string {
  const old = image('example.com/app:v1', { ...app, labels: { ...app.labels, [LABEL]: label(runImage) } });
  const metadata = lifecycleMetadata(old);
  if (metadata === undefined) throw new Error('no label');
  return rebaseObstacles(old, base, metadata).join('; ');
}

describe('an image of Cloud Native Buildpacks is put on another base', () => {
  const base = image('example.com/run:b');

  it('that it names, and on no other; a digest does not count, a tag does', () => {
    const named = { image: 'example.com/run:b@sha256:0', mirrors: ['mirror.example.com/run:b'] };
    expect(obstacles({ api: '0.14' }, base, named)).toBe('');
    expect(obstacles({ api: '0.14' }, image('mirror.example.com/run:b'), named)).toBe('');
    expect(obstacles({ api: '0.14' }, image('example.com/run:c'), named)).toContain(
      'and not example.com/run:c',
    );
    expect(obstacles({ api: '0.14' }, image('example.com/run:c'))).toBe('');
    expect(
      obstacles({ api: '0.14' }, image('ubuntu'), { image: 'index.docker.io/library/ubuntu:latest' }),
    ).toBe('');
  });

  it('unless it is marked, or the new one is of another distribution or variant', () => {
    expect(obstacles({ api: '0.14', labels: { 'io.buildpacks.rebasable': 'false' } }, base)).toContain(
      'not rebasable',
    );
    const jammy = {
      'io.buildpacks.base.distro.name': 'ubuntu',
      'io.buildpacks.base.distro.version': '22.04',
    };
    const noble = { ...jammy, 'io.buildpacks.base.distro.version': '24.04' };
    const onto = (labels: Record<string, string>, variant?: string) =>
      image('example.com/run:b', { labels, ...(variant !== undefined && { variant }) });
    expect(obstacles({ api: '0.12', labels: jammy }, onto(jammy))).toBe('');
    expect(obstacles({ api: '0.12', labels: jammy }, onto({}))).toBe('');
    expect(obstacles({ api: '0.12', labels: jammy }, onto(noble))).toBe(
      'the new base has the version 24.04, and the image 22.04',
    );
    expect(obstacles({ api: '0.12' }, onto({}, 'v8'))).toBe(
      'the new base has the variant v8, and the image none',
    );
  });

  it('of the same stack with the same mixins, when it is of an old platform', () => {
    const labels = { 'io.buildpacks.stack.id': 's', 'io.buildpacks.stack.mixins': '["a","run:b"]' };
    const onto = (id: string, mixins: string) =>
      image('example.com/other:1', {
        labels: { 'io.buildpacks.stack.id': id, 'io.buildpacks.stack.mixins': mixins },
      });
    expect(obstacles({ api: '0.11', labels }, onto('s', '["a","b","c"]'), { image: 'x' })).toBe('');
    expect(obstacles({ api: '0.11', labels }, onto('s', '["a"]'))).toBe('the new base lacks the mixins b');
    expect(obstacles({ labels }, onto('t', '[]'))).toBe('its stack is s, and that of the new base t');
    expect(obstacles({}, base)).toContain('not named');
  });

  it('and its label says so; a base that it did not name is the only one that it names then', () => {
    const old = image('example.com/app:v1', {
      labels: {
        [LABEL]: label({ image: 'example.com/run:a', mirrors: ['m'] }, { buildpacks: [{ key: 'a' }] }),
      },
    });
    const metadata = lifecycleMetadata(old);
    if (metadata === undefined) throw new Error('no label');
    expect(JSON.parse(rebasedLabel(metadata, base))).toEqual({
      app: [],
      buildpacks: [{ key: 'a' }],
      runImage: { topLayer: '', reference: `example.com/run@${DIGEST}`, image: 'example.com/run:b' },
      stack: { runImage: { image: 'example.com/run:b' } },
    });
    expect(() => lifecycleMetadata(image('example.com/a', { labels: { [LABEL]: '{}' } }))).toThrow(/damaged/);
    expect(lifecycleMetadata(image('example.com/a'))).toBeUndefined();
  });
});

it.each([
  ['static/*.css', 'static/a.css', true],
  ['static/*.css', 'static/deep/a.css', false],
  ['./a/', 'a', true],
  ['a?[b-d]', 'axc', true],
  ['a[^b-d]', 'ac', false],
  ['[a/]b', '/b', false],
  ['a\\*', 'a*', true],
  ['a\\*', 'ab', false],
  ['a.b', 'axb', false],
  ['[z-a]', 'a', false],
])('the pattern %j of a slice and the path %j: %j', (pattern, path, matches) => {
  expect(pathPattern(pattern).test(path)).toBe(matches);
});
