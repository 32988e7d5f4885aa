/** What this process may grant to those that it starts: its own hard limits, unless it may raise them. */
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
  const limits = (await readOrNothing('/proc/self/limits')) ?? '';
  const hard = (name: string): number => {
    const text = new RegExp(`^${name}\\s+\\S+\\s+(\\S+)`, 'm').exec(limits)?.[1];
    return text === undefined || text === 'unlimited' ? Number.POSITIVE_INFINITY : Number(text);
  };
  return {
    openFiles: Math.min(hard('Max open files'), NR_OPEN),
    fileSize: hard('Max file size'),
    processes: hard('Max processes'),
    others: false,
  };
}
