import { describe, expect, it } from 'vitest';
import { readManifest } from '../../../src/staging/manifest/read.ts';
import {
  type ManifestVariables,
  parseVariable,
  parseVariables,
} from '../../../src/staging/manifest/variables.ts';

const read = (text: string, variables: ManifestVariables = {}, appName?: string) =>
  readManifest({ file: 'manifest.yml', text, variables, ...(appName !== undefined && { appName }) });
const one = (text: string, variables?: ManifestVariables) =>
  read(`applications:\n- name: x\n${text}`, variables);

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

  it('takes variables as the cf client does: with blanks, a !, letters of any script, null', () => {
    const { apps } = one('  env: {A: (( a )), B: ((!b)), C: "-((größe))-", D: ((d)), E: ((m.list.1))}\n', {
      a: 1,
      b: true,
      größe: 'XL',
      d: null,
      m: { list: ['x', 'y'] },
    });
    expect(apps[0]?.env).toEqual({ A: 1, B: true, C: '-XL-', D: null, E: 'y' });
  });

  it.each([{ list: [] }, { list: true }, { list: 1.5 }, { list: null }])(
    'refuses what is neither text nor whole number inside a text: %j',
    (variables) => {
      expect(() => one('  stack: a((list))\n', variables)).toThrow(/variable list is neither/);
    },
  );

  it('does not look into what a variable brought', () => {
    expect(one('  env: {A: ((a)), B: "-((a))"}\n', { a: '((b))' }).apps[0]?.env).toEqual({
      A: '((b))',
      B: '-((b))',
    });
  });

  it('means by a scalar what it means to a foundation', () => {
    const { apps } = one(
      '  env: {A: yes, B: 0777, C: 1.10, D: "yes", E: 12:30, F: 123456789012345678, G: }\n',
    );
    expect(apps[0]?.env).toEqual({
      A: true,
      B: 511,
      C: 1.1,
      D: 'yes',
      E: '12:30',
      F: '123456789012345678',
      G: null,
    });
    expect(read('applications:\n- name: 12\n  path: 3\n').apps[0]).toMatchObject({ name: '12', path: '3' });
  });

  it('takes - and _ alike in keys, and null as no key', () => {
    const { apps, warnings } = one(
      '  disk-quota: 2G\n  health_check_type: http\n  no_route: true\n  memory:\n  services:\n  processes:\n  env:\n',
    );
    expect(apps).toEqual([{ name: 'x', 'disk-quota': 2048, 'health-check-type': 'http', 'no-route': true }]);
    expect(warnings).toEqual([]);
    expect(() => one('  disk-quota: 2G\n  disk_quota: 2G\n')).toThrow(/line 4: disk_quota is also given as/);
  });

  it('warns about unknown keys with their lines, in processes, sidecars and what is merged in as well', () => {
    const { warnings } = read(`defaults: &defaults
  memorry: 1G
base: {memory: 1G}
memory: 2G
extra: [{ deep: &deep { memory: 1G } }]
applications:
- name: x
  instances: 2
  <<: *defaults
  readiness-health-check-type: http
  buildpak: y
  processes:
  - type: web
    comand: x
    instances: 2
  sidecars:
  - { name: a, process_types: [web], command: b, cpu: 3 }
- name: y
  <<: [*defaults, *deep]
  "a\\eb": 1
  stack: a
  stack: b
`);
    expect(warnings).toEqual([
      'manifest.yml:2: unknown key memorry is ignored',
      'manifest.yml:3: key base next to the applications is ignored: it has no anchor, so nothing can use it',
      'manifest.yml:4: key memory next to the applications is ignored: it has no anchor, so nothing can use it',
      'manifest.yml:11: unknown key buildpak is ignored',
      'manifest.yml:14: unknown key comand is ignored',
      'manifest.yml:17: unknown key cpu is ignored',
      'manifest.yml:20: unknown key "a\\u001bb" is ignored',
      'manifest.yml:22: key stack is given twice: the last one counts',
    ]);
  });

  it('says where cf lets a merge overwrite what stands before it', () => {
    const { apps, warnings } = read(
      'd: &d {memory: 1G}\napplications:\n- name: x\n  memory: 2G\n  <<: *d\n- {name: y, <<: *d, memory: 2G}\n',
    );
    expect(apps.map(({ memory }) => memory)).toEqual([2048, 2048]);
    expect(warnings).toEqual([
      'manifest.yml:4: key memory counts, but cf uses the one that << merges after it',
    ]);
  });

  it('says that an entry for web puts aside what the application says of it', () => {
    const { warnings } = one('  memory: 1G\n  command: a\n  processes: [{type: web, memory: 2G}]\n');
    expect(warnings).toEqual([
      'manifest.yml:3: memory of application x is ignored: processes has an entry for web',
      'manifest.yml:4: command of application x is ignored: processes has an entry for web',
    ]);
  });

  it.each([
    ['  docker: {image: y}\n', /line 3: application x is a docker image/],
    ['  lifecycle: cnb\n', /line 3: application x asks for the lifecycle cnb/],
    ['  memory: 512\n', /line 3: memory "512" is not a size with a unit/],
    ['  disk_quota: 512K\n', /line 3: disk-quota "512K" is not a size/],
    ['  memory: [1G]\n', /line 3: memory must be a string/],
    ['  processes: {type: web}\n', /line 3: processes must be a list/],
    ['  processes: [web]\n', /line 3: processes.0 must be a map/],
    ['  processes:\n  - type: a\n    timeout: 0\n', /line 5: processes.0.timeout must be a whole number/],
    ['  processes: [{type: a}, {type: a}]\n', /processes.1.type a is given twice/],
    ['  sidecars: [{name: a, command: b}]\n', /line 3: sidecars.0.process_types must be a list/],
    ['  buildpack: a\n  buildpacks: [b]\n', /line 3: buildpack is given along with buildpacks/],
    ['  buildpacks: a\n', /line 3: buildpacks must be a list/],
    ['  command: ""\n', /line 3: command must not be empty/],
    ['  env: [A]\n', /line 3: env must be a map/],
    ['  instances: many\n', /line 3: instances must be a whole number/],
    ['  no_route: "yes"\n', /line 3: no-route must be true or false/],
    ['  routes: example.com\n', /line 3: routes must be a list/],
    ['  routes:\n  - example.com\n', /line 4: routes.0 must be a map such as route: app.example.com/],
    ['  metadata: [a]\n', /line 3: metadata must be a map/],
    ['  features: {ssh: 3}\n', /line 3: features.ssh must be true or false/],
    ['  readiness-health-check-interval: soon\n', /line 3: readiness-health-check-interval must be a whole/],
    ['  processes:\n  - type: a\n    instances: b\n', /line 5: processes.0.instances must be a whole number/],
    [
      '  routes:\n  - route: *.example.com\n',
      /\*\.example\.com at line 4, column 12 is read as a YAML alias/,
    ],
    ['  health-check-type: tcp\n', /line 3: health-check-type must be port, http or process/],
    ['- name: x\n', /two applications are called x/],
    ['- memory: 1G\n', /application 2 has no name/],
  ])('refuses %j', (text, reason) => {
    expect(() => one(text)).toThrow(reason);
  });

  it.each([
    ['applications: [\n', /^manifest.yml: .* line 2/],
    ['', /no list of applications/],
    ['name: x\n', /no list of applications/],
    ['applications:\n', /no list of applications/],
    ['applications: []\n', /line 1: applications is empty/],
    ['applications: a\n', /line 1: applications must be a list of applications/],
    ['applications: [x]\n', /line 1: applications.0 must be a map/],
    ['applications: [{name: [x]}]\n', /application 1: line 1: name must be a string/],
    ['version: 2\napplications: [{name: x}]\n', /line 1: version must be 1/],
    ['applications: [{}]\n', /the application has no name/],
    [`applications: [{name: ${'x'.repeat(2 ** 20)}}]\n`, /larger than 1 MiB/],
    ['a: &a [*a]\napplications: [{name: x, env: {A: *a}}]\n', /an anchor contains itself/],
  ])('refuses %.40j', (text, reason) => {
    expect(() => read(text)).toThrow(reason);
  });

  it('gives the app that is asked for, and its name to one that is alone', () => {
    const text = 'applications:\n- name: a\n- name: b\n  docker: {image: y}\n';
    expect(read(text, {}, 'a').apps).toEqual([{ name: 'a' }]);
    expect(() => read(text, {}, 'b')).toThrow(/docker image/);
    expect(() => read(text, {}, 'c')).toThrow(/no application c/);
    expect(read('applications: [{name: a}]\n', {}, 'c').apps).toEqual([{ name: 'c' }]);
    expect(read('applications: [{}]\n', {}, 'c').apps).toEqual([{ name: 'c' }]);
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

describe('--var', () => {
  it.each([
    ['a=b', 'b'],
    ['a=1', 1n],
    ['a=yes', true],
    ['a=[x, 2]', ['x', 2n]],
    ['a=b # c', 'b # c'],
    ['a="x: y"', 'x: y'],
    ['a=one\ntwo', 'one\ntwo'],
    ['a=b=c', 'b=c'],
    ['a=~', null],
  ])('%j', (pair, value) => {
    expect(parseVariable(pair)).toEqual({ a: value });
  });

  it.each(['a', 'a=', '=b', 'a={', 'a=b: c: d'])('refuses %j', (pair) => {
    expect(() => parseVariable(pair)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });

  it('and its value is in no message', () => {
    expect(() => parseVariable('secret')).toThrow(/^--var secret needs/);
    expect(() => parseVariable('a=*s3cret')).toThrow(/^(?!.*s3cret)/s);
  });
});

describe('--vars-file', () => {
  it('is a map, or empty', () => {
    expect(parseVariables('a: {b: yes}\n', 'f')).toEqual({ a: { b: true } });
    expect(parseVariables('# none\n', 'f')).toEqual({});
    expect(() => parseVariables('- a\n', 'f')).toThrow('f is not a map of variables');
    expect(() => parseVariables('a: [', 'f')).toThrow(/^f is not YAML: /);
  });
});
