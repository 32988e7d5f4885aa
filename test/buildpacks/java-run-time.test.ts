/** What the java buildpack leaves for run time, in bash: memory, options, java-run. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type DirectoryResult, dir as tempDir } from 'tmp-promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** As supply fills it in, for an empty app on Java 17. */
const FILLED: Readonly<Record<string, string>> = {
  ...{ IDX: '0', FROM_ENVIRONMENT: 'true', LIST_OPTS: "''", DEBUG: 'false', DEBUG_PORT: '8000' },
  ...{ DEBUG_SUSPEND: 'false', JMX: 'false', JMX_PORT: '5000', HEADROOM: '0', THREADS: '', CLASSES: '14775' },
};
let home: DirectoryResult;
beforeAll(async () => {
  home = await tempDir({ unsafeCleanup: true });
  mkdirSync(join(home.path, '0/jre/lib'), { recursive: true });
  mkdirSync(join(home.path, '0/jre/bin'));
  writeFileSync(
    join(home.path, '0/jre/bin/java'),
    '#!/bin/sh\nfor word in "$@"; do printf "<%s>" "$word"; done\n',
  );
  chmodSync(join(home.path, '0/jre/bin/java'), 0o755);
});
afterAll(() => home.cleanup());

/** Sources profile.d/java.sh as the launcher does, then runs `command`. */
function launched(command: string, env: Record<string, string>, filled: Record<string, string> = {}) {
  let script = readFileSync('buildpacks/java/profile/java.sh', 'utf8');
  for (const [name, value] of Object.entries({ ...FILLED, ...filled })) {
    script = script.replaceAll(`@${name}@`, () => value);
  }
  const path = join(home.path, 'java.sh');
  writeFileSync(path, script);
  return spawnSync('bash', ['--norc', '-c', `. ${path}; ${command}`], {
    encoding: 'utf8',
    env: { PATH: '/usr/bin:/bin', DEPS_DIR: home.path, CF_SYSTEM_CERT_PATH: '/nowhere', ...env },
  });
}

const flags = (env: Record<string, string>, filled = {}): string =>
  launched('printf %s "$JDK_JAVA_OPTIONS"', env, filled).stdout;
const megabytes = (text: string): number => Math.floor(Number(/-Xmx(\d+)K/.exec(text)?.[1] ?? 0) / 1024);

describe('memory of the JVM', () => {
  it("follows Cloud Foundry's formula where that leaves enough for the heap", () => {
    const all = flags({ MEMORY_LIMIT: '1G' });
    expect(megabytes(all)).toBe(428);
    expect(all).toContain(
      '-Xss1M -XX:MaxMetaspaceSize=97358K -XX:ReservedCodeCacheSize=245760K -XX:MaxDirectMemorySize=10240K',
    );
  });

  it('shrinks code cache and room for stacks below that, so that 512M is enough', () => {
    const all = flags({ MEMORY_LIMIT: '512m' });
    expect(megabytes(all)).toBe(203);
    expect(all).toContain('-XX:ReservedCodeCacheSize=102046K');
  });

  it.each<[string, Record<string, string>, Record<string, string>, string | RegExp]>([
    ['threads of Paketo', { BPL_JVM_THREAD_COUNT: '50' }, {}, '-Xmx644018K'],
    ['threads of Cloud Foundry', {}, { THREADS: '50' }, '-Xmx644018K'],
    ['head room', { MEMORY_CALCULATOR_HEADROOM: '10' }, {}, '-Xmx377487K'],
    ['classes', { BPL_JVM_LOADED_CLASS_COUNT: '40000' }, {}, '-XX:MaxMetaspaceSize=240234K'],
    [
      'its own heap',
      { JAVA_OPTS: '-Xmx600m -Xss2M' },
      {},
      /^-XX:\+ExitOnOutOfMemoryError -XX:MaxMetaspaceSize/,
    ],
    ['a heap in percent', { JAVA_OPTS: '-XX:MaxRAMPercentage=50' }, {}, /^-XX:\+ExitOnOutOfMemoryError$/],
    [
      'what is given for all JVMs',
      { JDK_JAVA_OPTIONS: '-XX:MaxDirectMemorySize=64M -Da=b' },
      {},
      /-XX:ReservedCodeCacheSize=\d+K -XX:MaxDirectMemorySize=64M -Da=b$/,
    ],
    ['a place for heap dumps', { BPL_HEAP_DUMP_PATH: '/tmp/a b' }, {}, '-XX:HeapDumpPath="/tmp/a b"'],
  ])('heeds %s', (_what, env, filled, expected) => {
    expect(flags({ MEMORY_LIMIT: '1G', ...env }, filled)).toMatch(expected);
  });

  it('says what is needed at least, and starts nothing', () => {
    const { status, stdout, stderr } = launched('echo started', { MEMORY_LIMIT: '128M' });
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(
      /128M is not enough memory for the JVM: it needs at least 138M \(direct memory 10M, metaspace 95M/,
    );
    expect(launched('', { MEMORY_LIMIT: '138M' }).status).toBe(0);
    const wide = { MEMORY_LIMIT: '1G', BPL_JVM_THREAD_COUNT: '5000' };
    expect(launched('', wide).stderr).toContain('it needs at least 5138M');
    expect(launched('', { ...wide, MEMORY_LIMIT: '5137M' }).status).toBe(1);
    expect(launched('', { ...wide, MEMORY_LIMIT: '5138M' }).status).toBe(0);
    expect(launched('', { MEMORY_LIMIT: '1G', BPL_JVM_HEAD_ROOM: '95' }).stderr).toContain(
      'a head room of 95 %',
    );
    expect(launched('', { MEMORY_LIMIT: '1G', JAVA_OPTS: '-Xmx2g' }).stderr).toContain(
      '1024M is not enough memory',
    );
    expect(launched('', { MEMORY_LIMIT: '1G', BPL_JVM_THREAD_COUNT: 'many' }).stderr).toContain(
      'many is not a number',
    );
  });
});

describe('options of the JVM', () => {
  it('get values of variables once, and run nothing', () => {
    const env = {
      JAVA_OPTS: `-Da=$NAME -Db=$${'{NAME}x'}\r\n-Dc=\\$NAME -Dd=$(id) -De=$NONE`,
      NAME: '$HOME',
    };
    expect(launched('printf %s "$JAVA_OPTS"', env).stdout).toBe(
      '-Da=$HOME -Db=$HOMEx  -Dc=$NAME -Dd=$(id) -De=',
    );
  });

  it('come from JBP_CONFIG_JAVA_OPTS first, and from it alone if it says so', () => {
    const list = { LIST_OPTS: "'-Dx=1 '" };
    expect(launched('printf %s "$JAVA_OPTS"', { JAVA_OPTS: '-Dy=2' }, list).stdout).toBe('-Dx=1 -Dy=2');
    const alone = { ...list, FROM_ENVIRONMENT: 'false' };
    expect(launched('printf %s "$JAVA_OPTS"', { JAVA_OPTS: '-Dy=2' }, alone).stdout).toBe('-Dx=1 ');
  });

  it('open ports for a debugger and JMX where that is asked for', () => {
    writeFileSync(join(home.path, '0/jre/lib/libjdwp.so'), '');
    const { stdout } = launched('printf %s "$JAVA_OPTS"', { BPL_DEBUG_ENABLED: 'true' }, { JMX: 'true' });
    expect(stdout).toContain('-agentlib:jdwp=transport=dt_socket,server=y,address=*:8000,suspend=n');
    expect(stdout).toContain('-Dcom.sun.management.jmxremote.port=5000');
  });

  it('reach java as single words, whatever is in them', () => {
    const options = `-Da="b c" -Dd='$e *' -Df=g\\ h  -Di="j\\"k" ""`;
    const env = { JAVA_HOME: join(home.path, '0/jre'), JAVA_OPTS: options, PATH: '/usr/bin:/bin' };
    const run = (more: Record<string, string>) =>
      spawnSync(resolve('buildpacks/java/profile/java-run'), ['-jar', 'a b.jar'], {
        encoding: 'utf8',
        env: { ...env, ...more },
      });
    expect(run({}).stdout).toBe('<-Da=b c><-Dd=$e *><-Df=g h><-Di=j"k><><-jar><a b.jar>');
    const open = run({ JAVA_OPTS: '-Da="b' });
    expect(open).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('JAVA_OPTS has a " that is not closed'),
    });
  });

  it('leave nothing of the script behind', () => {
    expect(launched('compgen -A function _java; compgen -v _java', { MEMORY_LIMIT: '1G' }).stdout).toBe('');
    expect(execFileSync('bash', ['-n', 'buildpacks/java/profile/java.sh'], { encoding: 'utf8' })).toBe('');
  });
});
