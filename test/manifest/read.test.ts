import { describe, expect, it } from 'vitest';
import { readManifest } from '../../src/manifest/read.ts';

const read = (text: string, variables: Record<string, unknown> = {}) =>
  readManifest({ file: 'manifest.yml', text, variables });

describe('a manifest', () => {
  it('merges a defaults block through anchors and merge keys', () => {
    const { apps, warnings } = read(`
defaults: &defaults
  memory: 1G
  buildpacks: [nodejs]
applications:
- name: one
  <<: *defaults
- name: two
  <<: *defaults
  memory: 256M
`);
    expect(apps.map(({ name, memory, buildpacks }) => ({ name, memory, buildpacks }))).toEqual([
      { name: 'one', memory: 1024, buildpacks: ['nodejs'] },
      { name: 'two', memory: 256, buildpacks: ['nodejs'] },
    ]);
    expect(warnings).toEqual([]);
  });

  it('keeps the type of a variable that stands alone, and writes others into the text', () => {
    const { apps } = read(
      'applications:\n- name: ((app.name))-((color))\n  env: {N: ((n)), URL: "http://((color)).example"}\n  services: ((list))\n',
      { app: { name: 'shop' }, color: 'blue', n: 3, list: ['db'] },
    );
    expect(apps[0]).toMatchObject({
      name: 'shop-blue',
      env: { N: 3, URL: 'http://blue.example' },
      services: ['db'],
    });
  });

  it('names every variable without a value at once', () => {
    expect(() => read('applications:\n- name: ((a))\n  memory: ((b))\n')).toThrow(/no value: a, b/);
  });

  it('warns about an unknown key with its line', () => {
    expect(read('applications:\n- name: x\n  instances: 2\n  memorry: 1G\n').warnings).toEqual([
      'manifest.yml:4: unknown key memorry is ignored',
    ]);
  });

  it('refuses docker, an unknown lifecycle, twins and a size without a unit, each with its reason', () => {
    expect(() => read('applications:\n- name: x\n  docker: {image: y}\n')).toThrow(/docker image/);
    expect(() => read('applications:\n- name: x\n  lifecycle: cnb\n')).toThrow(/lifecycle cnb/);
    expect(() => read('applications:\n- name: x\n- name: x\n')).toThrow(/two applications are called x/);
    expect(() => read('applications:\n- name: x\n  memory: 512\n')).toThrow(/not a size with a unit/);
    expect(() => read('applications: [\n')).toThrow(/manifest.yml: /);
    expect(() => read('name: x\n')).toThrow(/applications/);
  });

  it('reads processes and sidecars', () => {
    const { apps } = read(`
applications:
- name: x
  command: node a.js
  processes: [{type: worker, command: node b.js, memory: 64M, health-check-type: process}]
  sidecars: [{name: agent, process_types: [web], command: ./agent, memory: 32M}]
`);
    expect(apps[0]).toMatchObject({
      command: 'node a.js',
      processes: [{ type: 'worker', command: 'node b.js', memory: 64 }],
      sidecars: [{ name: 'agent', process_types: ['web'], command: './agent', memory: 32 }],
    });
  });

  it('refuses a bomb of aliases', () => {
    const levels = Array.from({ length: 9 }, (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i}, `.repeat(9)}]`);
    expect(() => read(`l0: &l0 [x]\n${levels.join('\n')}\napplications:\n- name: *l9\n`)).toThrow(/alias/i);
  });
});
