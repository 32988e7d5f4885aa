/** The error when no sandbox works: one sentence, and one piece of advice for this kind of place. */
import { access } from 'node:fs/promises';
import { StagerError } from '../../words/errors.ts';
import { readOrNothing } from './kernel/processes.ts';

/** A way that was tried or left out. */
export interface Rejected {
  /** `crun 1.8.1, cgroup v1 (hybrid), …` or a name. */
  readonly candidate: string;
  readonly why: string;
}

/** Where stager is run, as far as it decides what helps. */
export type Surroundings = 'container' | 'root' | 'user';

/** Files that engines put into their containers. */
const MARKS = ['/.dockerenv', '/run/.containerenv', '/run/secrets/kubernetes.io'] as const;
const CAP_SYS_ADMIN = 1n << 21n;

/** Looks where this process is. */
export async function surroundingsOfThis(): Promise<Surroundings> {
  const marks = MARKS.map((path) =>
    access(path).then(
      () => true,
      () => false,
    ),
  );
  const isMarked = (await Promise.all(marks)).includes(true);
  return surroundingsOf({
    isMarked,
    isRoot: process.getuid?.() === 0,
    status: (await readOrNothing('/proc/self/status')) ?? '',
  });
}

/** Whether no right that making a container takes can be had, whatever is tried: nothing of that changes. */
export async function isConfinedForGood(): Promise<boolean> {
  return isConfined((await readOrNothing('/proc/self/status')) ?? '');
}

function isConfined(status: string): boolean {
  const bounding = BigInt(`0x${/^CapBnd:\s+([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return (bounding & CAP_SYS_ADMIN) === 0n;
}

/** `status`: the text of /proc/self/status. */
export function surroundingsOf(seen: {
  readonly isMarked: boolean;
  readonly isRoot: boolean;
  readonly status: string;
}): Surroundings {
  // Root may lack it on a machine too, but then the same helps.
  if (seen.isMarked || isConfined(seen.status)) return 'container';
  return seen.isRoot ? 'root' : 'user';
}

const ELSE = 'or give up isolation with `--sandbox none`; `stager doctor` shows each reason.';
const FLAGS =
  'with crun in it, and `--cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined` (docker, podman; docs/sandbox.md has more, and Kubernetes)';
const ADVICE = {
  container: {
    what: 'no OCI runtime can start a container inside this one',
    next: `Take \`--sandbox process\`, or run this container ${FLAGS}, ${ELSE}`,
  },
  root: {
    what: 'no OCI runtime works on this machine',
    next: `Update runc or crun, ${ELSE}`,
  },
  user: {
    what: 'no OCI runtime works for this user',
    next: `Give it subordinate ids in /etc/subuid and /etc/subgid and allow user namespaces, or run as root, ${ELSE}`,
  },
} as const satisfies Record<Surroundings, { readonly what: string; readonly next: string }>;

const NOT_INSTALLED = 'not installed';

/** SANDBOX_UNAVAILABLE; `details.rejected` has the reason for each way. */
export function unavailable(rejected: readonly Rejected[], place: Surroundings): StagerError {
  const isMissing = rejected.every(({ why }) => why === NOT_INSTALLED);
  const { what, next } = isMissing
    ? { what: 'no OCI runtime is installed', next: `Install runc or crun, ${ELSE}` }
    : ADVICE[place];
  return new StagerError('SANDBOX_UNAVAILABLE', what, { next, details: { rejected } });
}

/** SANDBOX_UNAVAILABLE for the runtime that was asked for by name. */
export function unusable({ candidate, why }: Rejected): StagerError {
  return new StagerError('SANDBOX_UNAVAILABLE', `${candidate} cannot be used as a runtime: ${why}`, {
    next: 'Name an OCI runtime such as runc or crun with --runtime, or leave it out to let stager choose; `stager doctor` shows what is here.',
    details: { rejected: [{ candidate, why }] },
  });
}

/** What stands in `details.rejected`, one line each. */
export function reasonsOf({ details }: StagerError): readonly string[] {
  const { rejected } = details;
  if (!Array.isArray(rejected)) return [];
  return rejected.filter(isRejected).map(({ candidate, why }) => `${candidate}: ${why}`);
}

function isRejected(value: unknown): value is Rejected {
  return typeof value === 'object' && value !== null && 'candidate' in value && 'why' in value;
}
