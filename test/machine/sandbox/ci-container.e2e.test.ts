/**
 * stager inside the container of a CI job, in which no OCI runtime can start another: as root and as an ordinary user, with
 * either version of cgroups, read-only, and with none.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CiContainer, hasUnified, type Job, type JobEnd, whyNoJobs } from '../../support/ci-container.ts';

const why = whyNoJobs();
const STAGE_TOLD = 'bin/stager stage fixtures/apps/static-site -b fixtures/buildpacks/does-as-told';

/** Each line is what an attack that did not work says. */
const HOSTILE = [
  'grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status | tr "\\t" " "',
  'touch /usr/x 2>/dev/null || echo the system is read-only',
  'touch /dev/shm/x 2>/dev/null || echo nothing else can be written',
  'ls /root /home 2>/dev/null || echo no homes',
  'cat /proc/$PPID/environ >/dev/null 2>&1 || echo no environment of stager',
  'kill -9 $PPID 2>/dev/null || echo stager lives',
  'mount -t tmpfs none /tmp 2>/dev/null || echo no mounts',
  'unshare -U true 2>/dev/null || echo no namespaces',
  'chown 0 "$0" 2>/dev/null || echo no other user',
  'setsid env -i sleep 86402 & ',
].join('; ');

const JOBS: readonly Job[] = [
  { user: 'root', cgroups: 'v1' },
  { user: 'root', cgroups: 'none' },
  { user: 'ordinary', cgroups: 'v2' },
  { user: 'ordinary', cgroups: 'none' },
];

describe.each(JOBS)('in a job of $user, cgroups $cgroups', (job) => {
  const missing = why ?? (job.cgroups === 'v2' && !hasUnified ? 'no cgroup v2 is mounted here' : undefined);
  const note = missing === undefined ? '' : ` (not run: ${missing})`;
  let container: CiContainer;
  beforeAll(() => {
    if (missing === undefined) container = new CiContainer(job);
  });
  afterAll(() => container?.[Symbol.dispose]());

  it.skipIf(missing !== undefined)(`doctor says what will be used${note}`, () => {
    const { code, stdout } = container.run('bin/stager doctor');
    expect({ code, stdout }).toMatchObject({ code: 0 });
    expect(stdout).toContain('warning: a confined process: ');
    expect(stdout).toContain(
      job.user === 'root' ? 'a separate user for each staging' : "the caller's own user",
    );
  });

  it.skipIf(missing !== undefined)(`a hostile script is held, and one line says by what${note}`, () => {
    const ran = container.run(
      `${STAGE_TOLD} -e SUPPLY='${HOSTILE.replaceAll("'", `'\\''`)}'; pgrep -x sleep`,
    );
    expect(ran.stderr.match(/no OCI runtime works in this container/g)).toHaveLength(1);
    expectHeld(ran, job);
  });
});

function expectHeld({ code, stdout, stderr }: JobEnd, job: Job): void {
  // No daemon was found.
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.any(String) });
  for (const line of [
    /CapEff:\s*0{16}$/m,
    /NoNewPrivs:\s*1$/m,
    /Seccomp:\s*2$/m,
    /^the system is read-only$/m,
    /^no mounts$/m,
    /^no namespaces$/m,
    /^no other user$/m,
  ]) {
    expect(stdout).toMatch(line);
  }
  // A user of its own is enough for these; without one it takes Landlock.
  if (job.user === 'ordinary' && !stdout.includes('Landlock (version')) return;
  for (const line of [
    /^nothing else can be written$/m,
    /^no homes$/m,
    /^no environment of stager$/m,
    /^stager lives$/m,
  ])
    expect(stdout).toMatch(line);
}

/** What the quickstart does, without its set-up: this checkout belongs to somebody else. */
const BY_HAND = `bin/stager stage fixtures/apps/express || exit; bin/stager run --port $PORT & run=$!
until curl -fsS http://localhost:$PORT/ 2>/dev/null; do kill -0 $run || exit 1; sleep 0.3; done
kill $run; wait $run; echo Done.`;

describe('the quickstart', () => {
  it.skipIf(why !== undefined).each([
    [{ user: 'root', cgroups: 'v1' }, 'npm run --silent quickstart'],
    [{ user: 'ordinary', cgroups: 'none' }, BY_HAND],
  ] as const)(`works in a job of %o${why === undefined ? '' : ` (not run: ${why})`}`, (job, script) => {
    using container = new CiContainer(job);
    const port = 20_000 + (process.pid % 20_000);
    const { code, stdout, stderr } = container.run(`export PORT=${port}; ${script}`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('confined processes') });
    expect(stdout).toContain('Done.');
  });
});

describe('a job with small limits that can not be raised', () => {
  it.skipIf(why !== undefined).each([
    ['RLIMIT_NOFILE', 256, 'stager itself may open 256 files only'],
    ['RLIMIT_NOFILE', 20_000, ''],
    ['RLIMIT_FSIZE', 64 * 1024 * 1024, ''],
  ] as const)(`%s %d${why === undefined ? '' : ` (not run: ${why})`}`, (type, limit, said) => {
    using container = new CiContainer({
      user: 'root',
      cgroups: 'v1',
      rlimits: [{ type, hard: limit, soft: limit }],
    });
    const { code, stdout, stderr } = container.run(`${STAGE_TOLD} -e SUPPLY='ulimit -n'`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining(said) });
    expect(stdout).toMatch(
      new RegExp(`^${Math.min(type === 'RLIMIT_NOFILE' ? limit : 16_384, 16_384)}$`, 'm'),
    );
  });
});
