/**
 * Health checks of a process whose network the host can't reach: each check is a small sandbox that shares the
 * process's network and lets bash connect.
 */

import type { ExitReport } from '../../machine/sandbox/port/exit-report.ts';
import type { Rootfs, Sandbox, SandboxSpec } from '../../machine/sandbox/port/sandbox.ts';
import { newGuid } from '../../words/ids.ts';
import { MEBIBYTE } from '../../words/units.ts';
import {
  describeTarget,
  localOnly,
  NOTHING_LISTENS,
  OUTSIDE,
  type Probe,
  type ProbeFailure,
  USER_AGENT,
} from './probe.ts';
import { BASH } from './start-script.ts';

/** The process to check. */
export interface InsideProbeOptions {
  readonly sandbox: Sandbox;
  /** Owner of the process. */
  readonly networkOf: string;
  readonly rootfs: Rootfs;
  /** Host directory for the disk limit; nothing is written. */
  readonly diskRoot: string;
}

/** A sandbox costs more than a connect: not more often than this. */
export const INSIDE_POLL_MS = 1_000;

const LIMITS = {
  memoryBytes: 64 * MEBIBYTE,
  pids: 16,
  diskBytes: Number.MAX_SAFE_INTEGER,
  openFiles: 64,
} as const;
/** For making the sandbox, beside the time of the check itself. */
const SANDBOX_MS = 60_000;
/** Exit codes of the script, as Cloud Foundry's health check has them. */
const CODES = { refused: 4, localhostOnly: 5, badStatus: 6, localhost6Only: 7, httpTimeout: 65 } as const;

/** $1 port, $2 seconds, $3 path or empty. */
const SCRIPT = `exec 2>/dev/null
if ! (exec 3<>"/dev/tcp/${OUTSIDE}/$1"); then
  (exec 3<>"/dev/tcp/127.0.0.1/$1") && exit ${CODES.localhostOnly}
  (exec 3<>"/dev/tcp/::1/$1") && exit ${CODES.localhost6Only}
  exit ${CODES.refused}
fi
exec 3<>"/dev/tcp/${OUTSIDE}/$1" || exit ${CODES.refused}
[ -n "$3" ] || exit 0
printf 'GET %s HTTP/1.1\\r\\nHost: 127.0.0.1:%s\\r\\nUser-Agent: ${USER_AGENT}\\r\\nX-Forwarded-Proto: https\\r\\nConnection: close\\r\\n\\r\\n' "$3" "$1" >&3
read -r -t "$2" version status rest <&3 || exit ${CODES.httpTimeout}
[ "$status" = 200 ] && exit 0
printf '%s' "\${status:0:20}"
exit ${CODES.badStatus}`;

/** Needs a sandbox that {@link Sandbox.sharesNetworks}. */
export function insideProbe(options: InsideProbeOptions): Probe {
  const { sandbox, networkOf, rootfs, diskRoot } = options;
  return async (target, { timeoutMs, signal }) => {
    const said: Buffer[] = [];
    const path = target.type === 'http' ? target.path : '';
    const spec: SandboxSpec = {
      owner: newGuid(),
      argv: [BASH, '-c', SCRIPT, 'healthcheck', String(target.port), String(timeoutMs / 1000), path],
      env: {},
      cwd: '/',
      rootfs,
      mounts: [],
      diskRoot,
      limits: { ...LIMITS, wallMs: timeoutMs + SANDBOX_MS },
      network: 'none',
      networkOf,
    };
    const failure = await sandbox
      .run(spec, { signal, onOutput: (_stream, chunk) => said.push(chunk) })
      .then((report) => failureOf(report, { timeoutMs, said: Buffer.concat(said).toString('latin1') }))
      .catch((error: unknown) =>
        reached(`the check itself failed: ${error instanceof Error ? error.message : error}`),
      );
    return failure && { ...failure, message: `${describeTarget(target)}: ${failure.message}` };
  };
}

function failureOf(
  { outcome }: ExitReport,
  { timeoutMs, said }: { readonly timeoutMs: number; readonly said: string },
): ProbeFailure | undefined {
  if (outcome.kind === 'timed-out') return reached(`no answer within ${timeoutMs} ms`);
  if (outcome.kind !== 'exited') return reached(`the check itself ended as ${outcome.kind}`);
  switch (outcome.code) {
    case 0:
      return undefined;
    case CODES.badStatus:
      return reached(`status ${said === '' ? 'missing' : said}, 200 was expected`);
    case CODES.localhostOnly:
      return { message: localOnly('127.0.0.1'), reached: false };
    case CODES.localhost6Only:
      return { message: localOnly('::1'), reached: false };
    case CODES.httpTimeout:
      return reached(`no answer within ${timeoutMs} ms`);
    default:
      return { message: NOTHING_LISTENS, reached: false };
  }
}

function reached(message: string): ProbeFailure {
  return { message, reached: true };
}
