import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allPids } from '../../../src/machine/sandbox/kernel/processes.ts';
import { isRoot, unlessRoot } from '../../support/as-root.ts';
import { cgroupsOf, SandboxFixture } from '../../support/sandbox-fixture.ts';

let fixture: SandboxFixture;
beforeAll(async () => {
  fixture = await SandboxFixture.open();
});
afterAll(async () => {
  await fixture.close();
});

const exitCode = async (script: string): Promise<unknown> => (await fixture.run({ script })).report.outcome;

describe('a script cannot read', () => {
  it.each(['/root', '/home', '/work', '/opt', '/srv', '/var/log', '/run', '/sys'])(
    'what the host has in %s',
    async (path) => {
      const ran = await fixture.run({
        script: `find ${path} -xdev -mindepth 1 ! -path /home/vcap ! -path /run/lock`,
      });
      expect(ran.stdout.toString()).toBe('');
    },
  );

  it.each(['/etc/shadow', '/etc/gshadow', '/etc/sudoers', '/etc/ssh', '/etc/ssl/private', '/etc/machine-id'])(
    'the secret %s',
    async (path) => {
      expect(await exitCode(`test -e ${path}`)).toEqual({ kind: 'exited', code: 1 });
    },
  );

  it.skipIf(!isRoot)(
    `a file that root alone may read, wherever it lies in the stack${unlessRoot}`,
    async () => {
      const secret = `/usr/local/share/stager-test-secret-${process.pid}`;
      writeFileSync(secret, 'hush', { mode: 0o600 });
      try {
        const ran = await fixture.run({ script: `cat ${secret}` });
        expect(ran.report.outcome).toEqual({ kind: 'exited', code: 1 });
        expect(ran.text).toContain('Permission denied');
      } finally {
        rmSync(secret);
      }
    },
  );

  it('the root of the host through /proc/1/root or a link of its own', async () => {
    const ran = await fixture.run({
      script: 'ls /proc/1/root/root/ ; ln -s /root/.. out && ls out/work; cat /proc/1/root/etc/shadow',
    });
    expect(ran.stdout.toString()).toBe('');
  });

  it("the caller's environment", async () => {
    process.env['STAGER_TEST_SECRET'] = 'in the environment of the caller';
    try {
      const ran = await fixture.run({ script: 'cat /proc/[0-9]*/environ; env' });
      expect(ran.text).toContain('HOME=/home/vcap');
      expect(ran.text).not.toContain('in the environment');
    } finally {
      delete process.env['STAGER_TEST_SECRET'];
    }
  });

  it('any variable that was not given', async () => {
    const ran = await fixture.run({
      argv: ['/usr/bin/env'],
      env: { A: '1', 'spring.profiles.active': 'x y' },
    });
    expect(ran.stdout.toString().trim().split('\n').sort()).toEqual(['A=1', 'spring.profiles.active=x y']);
  });

  it('other processes', async () => {
    const ran = await fixture.run({ script: 'for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline; done' });
    expect(ran.text).toContain('stager-init');
    expect(ran.text).not.toContain('vitest');
    expect(ran.text).not.toContain('runc');
  });

  it('other workspaces', async () => {
    const other = fixture.workspace();
    writeFileSync(join(other, 'app', 'theirs'), 'x');
    const ran = await fixture.run({ script: `find / -name theirs 2>/dev/null; ls ${other}` });
    expect(ran.stdout.toString()).toBe('');
  });
});

describe('a script cannot write', () => {
  it('anywhere but in its workspace and the two temporary file systems', async () => {
    const ran = await fixture.run({
      script: 'find / -path /proc -prune -o -writable ! -type l -print 2>/dev/null | grep -v "^/tmp"',
    });
    const places = ran.stdout
      .toString()
      .trim()
      .split('\n')
      .filter((path) => !path.startsWith('/dev/'));
    expect(places).toEqual([]);
  });

  it('to its own root, the stack or a file that it was given to read', async () => {
    const workspace = fixture.workspace();
    mkdirSync(join(fixture.home, 'given'), { recursive: true });
    writeFileSync(join(fixture.home, 'given', 'file'), 'as it was', { mode: 0o666 });
    const ran = await fixture.run({
      script:
        'for f in /x /usr/x /etc/x /etc/stager/file /dev/x; do echo no > $f; done; chmod 777 /etc/stager/file',
      diskRoot: workspace,
      mounts: [
        { source: workspace, target: '/tmp', writable: true },
        { source: join(fixture.home, 'given'), target: '/etc/stager', writable: false },
      ],
    });
    expect(ran.text.match(/Read-only file system|Permission denied/g)).toHaveLength(6);
    expect(existsSync('/usr/x')).toBe(false);
  });

  it('device nodes', async () => {
    const ran = await fixture.run({ script: 'mknod disk b 254 0; mknod mem c 1 1; mkfifo pipe && ls' });
    expect(ran.stdout.toString()).toBe('pipe\n');
    expect(ran.text.match(/Operation not permitted/g)).toHaveLength(2);
  });

  it('files that belong to somebody else outside', async () => {
    const workspace = fixture.workspace();
    await fixture.run({
      script: 'touch mine; chown 0:0 mine; cp /bin/true mine; chmod 4755 mine',
      diskRoot: workspace,
    });
    expect(statSync(join(workspace, 'app', 'mine')).uid).toBe(fixture.sandbox.owner.uid);
    expect(fixture.sandbox.owner.uid).not.toBe(0);
  });
});

describe('a script cannot become more than it is', () => {
  it('by capabilities', async () => {
    const ran = await fixture.run({ script: 'grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status' });
    const lines = ran.stdout
      .toString()
      .trim()
      .split('\n')
      .map((line) => line.replace(/\s+/, ' '));
    expect(lines).toEqual([
      ...['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map((name) => `${name}: ${'0'.repeat(16)}`),
      'NoNewPrivs: 1',
      'Seccomp: 2',
    ]);
  });

  it('by a set-user-id program of the stack', async () => {
    const ran = await fixture.run({
      script: 'ls -l /usr/bin/su >&2; cp /usr/bin/id id; chmod 6755 id; ./id -u; su -c id',
    });
    expect(ran.stdout.toString()).toBe('2000\n');
    expect(ran.report.outcome).not.toEqual({ kind: 'exited', code: 0 });
  });

  it('by mounting', async () => {
    const script = 'mkdir m; mount -t tmpfs none m; mount --bind / m; umount /proc; ls m | wc -l';
    const ran = await fixture.run({ script });
    expect(ran.stdout.toString()).toBe('0\n');
  });

  it.each(['--user', '--mount', '--net', '--pid', '--uts', '--ipc'])('by unshare %s', async (flag) => {
    expect(await exitCode(`unshare ${flag} true`)).toEqual({ kind: 'exited', code: 1 });
  });

  it.each([
    ['ptrace', 101],
    ['mount', 165],
    ['bpf', 321],
    ['keyctl', 250],
    ['kexec_load', 246],
    ['process_vm_readv', 310],
    ['io_uring_setup', 425],
    ['userfaultfd', 323],
    ['setns', 308],
    ['perf_event_open', 298],
    ['open_by_handle_at', 304],
  ])('by the system call %s', async (_, number) => {
    if (process.arch !== 'x64') return;
    const python = `import ctypes; l=ctypes.CDLL(None,use_errno=True); print(l.syscall(${number},0,0,0,0,0), ctypes.get_errno())`;
    const ran = await fixture.run({ argv: ['/usr/bin/python3', '-c', python] });
    expect(ran.stdout.toString()).toBe('-1 1\n');
  });

  it('by clone with namespace flags, while threads and forks work', async () => {
    const python = [
      'import ctypes, os, threading',
      'l = ctypes.CDLL(None, use_errno=True)',
      'print(l.syscall(56, 0x10000000 | 17, 0, 0, 0, 0), ctypes.get_errno())',
      't = threading.Thread(target=lambda: print("thread")); t.start(); t.join()',
      'pid = os.fork()',
      'os._exit(0) if pid == 0 else print(os.waitpid(pid, 0)[1])',
    ].join('\n');
    const ran = await fixture.run({ argv: ['/usr/bin/python3', '-u', '-c', python] });
    expect(ran.stdout.toString()).toBe('-1 38\nthread\n0\n');
  });
});

describe('a script without network', () => {
  it('has no way out', async () => {
    const ran = await fixture.run({ script: 'cat /proc/net/route /proc/net/dev', network: 'none' });
    expect(ran.text).not.toMatch(/eth|ens|wlan/);
    const routes = ran.text.split('\n').filter((line) => /^\w+\t[0-9A-F]{8}/.test(line));
    expect(routes).toEqual([]);
  });

  it('can still talk to itself', async () => {
    const python = [
      'import socket',
      's = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()',
      'c = socket.create_connection(s.getsockname()); print("connected")',
    ].join('\n');
    const ran = await fixture.run({ argv: ['/usr/bin/python3', '-c', python], network: 'none' });
    expect(ran.stdout.toString()).toBe('connected\n');
  });

  it("cannot reach what listens on the host's loopback", async () => {
    const { createServer } = await import('node:net');
    const server = createServer((socket) => socket.end('host')).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const script = `exec 3<>/dev/tcp/127.0.0.1/${port} && cat <&3`;
    const without = await fixture.run({ script, network: 'none' });
    const withHost = await fixture.run({ script, network: 'host' });
    server.close();
    expect(without.stdout.toString()).toBe('');
    expect(withHost.stdout.toString()).toBe('host');
  });
});

describe('a script leaves nothing behind', () => {
  it('no daemon that forked twice into a session of its own', async () => {
    const marker = `86399.${process.pid}`;
    const ran = await fixture.run({
      script: `setsid sh -c 'setsid sleep ${marker} & exit 0' & sleep 0.3; echo done`,
    });
    expect(ran.stdout.toString()).toBe('done\n');
    expect(await commandsWith(marker)).toEqual([]);
  });

  it('no bundle, no state and no cgroup', async () => {
    await fixture.run({ owner: 'tidy', script: 'true' });
    const [own = ''] = readdirSync(join(fixture.home, 'state')).filter((name) =>
      name.includes(`.${process.pid}.`),
    );
    const home = join(fixture.home, 'state', own);
    expect(readdirSync(join(home, 'runs'))).toEqual([]);
    expect(readdirSync(join(home, 'state'))).toEqual([]);
    expect(await cgroupsOf('tidy')).toEqual([]);
  });
});

async function commandsWith(text: string): Promise<number[]> {
  const { readFile } = await import('node:fs/promises');
  const pids = await allPids();
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return pids.filter((_, index) => lines[index]?.includes(text));
}
