/** podman, buildah and skopeo as readers of images, without a daemon and with stores of their own. */
import { execFileSync, spawnSync } from 'node:child_process';
import { rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, it } from 'vitest';
import { hasProgram } from './docker-registry.ts';

/** What podman did with an image; it can't start containers everywhere. */
type PodmanRun = PodmanResult | { readonly notRun: string };

/** How the image's command ended, and the lines that it wrote. */
export interface PodmanResult {
  readonly lines: readonly string[];
  readonly code: number;
}

const storeArgs = (dir: string): readonly string[] => [
  ...['--root', join(dir, 'podman'), '--runroot', join(dir, 'podman-run')],
  ...['--storage-driver', 'vfs'],
];

/** They make a name of the path, which must have no capital letters then. */
function named<T>(layout: string, use: (image: string) => T): T {
  const link = join(tmpdir(), `layout-${basename(layout).toLowerCase()}-${process.pid}`);
  symlinkSync(layout, link);
  try {
    return use(`oci:${link}:v1`);
  } finally {
    rmSync(link);
  }
}

/** Runs the image `v1` of a layout as it is; `dir` is for the store. */
function podmanRun(layout: string, dir: string): PodmanRun {
  const hard = (what: string): string =>
    execFileSync('/bin/bash', ['-c', `ulimit -H${what}`], { encoding: 'utf8' }).trim();
  const limits = [`--ulimit=nofile=${hard('n')}`, '--ulimit=nproc=1000', '--network=none'];
  const engine = ['--cgroup-manager=cgroupfs', '--runtime=runc', 'run', '--rm', ...limits];
  const run = (...more: readonly string[]) =>
    spawnSync('podman', [...storeArgs(dir), ...engine, ...more], { encoding: 'utf8' });
  return named(layout, (image) => {
    // What podman itself can't do is no fault of the image's entry point.
    const probe = run('--entrypoint=/bin/bash', image, '-c', 'exit 0');
    if (probe.status !== 0) return { notRun: probe.stderr.trim().split('\n').at(-1) ?? '' };
    const { status, stdout } = run(image);
    return { code: status ?? -1, lines: stdout.trim().split('\n') };
  });
}

/** Makes a container of the image `v1` with buildah; its entry point and user. */
function buildahFrom(layout: string, dir: string): { readonly entrypoint: string; readonly user: string } {
  const buildah = (...args: readonly string[]): string =>
    execFileSync('buildah', [...storeArgs(dir), ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim();
  return named(layout, (image) => {
    const container = buildah('from', image);
    const field = (name: string): string =>
      buildah('inspect', '--format', `{{.OCIv1.Config.${name}}}`, container);
    return { entrypoint: field('Entrypoint'), user: field('User') };
  });
}

/** What skopeo says, asked in `dir`; it looks for passwords there, since an ordinary user may read no other place. */
export function skopeo(dir: string, ...args: readonly string[]): string {
  const env = { ...process.env, XDG_RUNTIME_DIR: dir };
  return execFileSync('skopeo', args, { encoding: 'utf8', cwd: dir, env });
}

/** Tests that podman and buildah take the image `v1` of the layout in `dir`. */
export function itIsTakenByEngines(
  dir: () => string,
  { entrypoint, ran }: { readonly entrypoint: string; readonly ran: (run: PodmanResult) => void },
): void {
  it.runIf(hasProgram('buildah'))('is taken by buildah', () => {
    expect(buildahFrom(join(dir(), 'layout'), dir())).toEqual({ entrypoint, user: '2000:2000' });
  });

  it.runIf(hasProgram('podman'))('is run by podman', ({ skip }) => {
    const run = podmanRun(join(dir(), 'layout'), dir());
    if ('notRun' in run) {
      process.stderr.write(`NOT RUN: podman run, which can't start containers here: ${run.notRun}\n`);
      skip();
      return;
    }
    ran(run);
  });
}
