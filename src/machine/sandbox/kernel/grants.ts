/** The limits that this process can give to those that it starts: its own hard limits, unless it may raise them. */
import { readOrNothing } from './processes.ts';

/** Infinity where there is no limit. */
export interface Grants {
  readonly openFiles: number;
  /** Bytes of one file. */
  readonly fileSize: number;
  /** Whether limits of others may be set, even lowered. */
  readonly others: boolean;
  /** Processes and threads of a user. */
  readonly processes: number;
}

/** The most that a kernel allows, whoever asks (`fs.nr_open`). */
const NR_OPEN = 1_048_576;
const CAP_SYS_RESOURCE = 1n << 24n;

/** Looks at /proc/self. */
export async function ownGrants(): Promise<Grants> {
  const status = (await readOrNothing('/proc/self/status')) ?? '';
  const capabilities = BigInt(`0x${/^CapEff:\s+([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  if ((capabilities & CAP_SYS_RESOURCE) !== 0n)
    return {
      openFiles: NR_OPEN,
      fileSize: Number.POSITIVE_INFINITY,
      processes: Number.POSITIVE_INFINITY,
      others: true,
    };
  const [files, size, processes] = await Promise.all(
    ['Max open files', 'Max file size', 'Max processes'].map(ownHardLimit),
  );
  return {
    openFiles: Math.min(files ?? 0, NR_OPEN),
    fileSize: size ?? 0,
    processes: processes ?? 0,
    others: false,
  };
}

/** Bytes of one file that this process may write, and what it starts. */
export async function fileSizeLimit(): Promise<number> {
  return (await ownLimit('Max file size')).soft;
}

async function ownHardLimit(name: string): Promise<number> {
  return (await ownLimit(name)).hard;
}

async function ownLimit(name: string): Promise<{ readonly soft: number; readonly hard: number }> {
  const limits = (await readOrNothing('/proc/self/limits')) ?? '';
  const [, soft, hard] = new RegExp(`^${name}\\s+(\\S+)\\s+(\\S+)`, 'm').exec(limits) ?? [];
  return { soft: numberOf(soft), hard: numberOf(hard) };
}

function numberOf(text: string | undefined): number {
  return text === undefined || text === 'unlimited' ? Number.POSITIVE_INFINITY : Number(text);
}
