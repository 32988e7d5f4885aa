/**
 * The caller's streams for a child that may give them away: crun, as root, makes vcap the owner of whatever it is started
 * with. The machine's null device is never lent, a device of one's own is; a file goes back to its owner.
 */
import { closeSync, constants, fchownSync, fstatSync, openSync, type Stats, statSync } from 'node:fs';

/** One stream. */
interface Lent {
  /** Descriptor for the child. */
  readonly fd: number;
  /** Call it when the child has been started. */
  given(): void;
  /** Call it when the child has ended. */
  back(): void;
}

const NOTHING = (): void => undefined;

/** Standard input, output and errors. @param own null device of one's own; absent: nothing can be given away */
export function lendStreams(own: string | undefined): readonly [Lent, Lent, Lent] {
  return [lend(0, own), lend(1, own), lend(2, own)];
}

function lend(fd: number, own: string | undefined): Lent {
  const before = own === undefined ? undefined : statsOf(fd);
  if (own === undefined || before === undefined) return { fd, given: NOTHING, back: NOTHING };
  const mine = before.rdev === nullDevice() ? openNull(own, fd) : undefined;
  if (mine !== undefined) return { fd: mine, given: () => closeSync(mine), back: NOTHING };
  return {
    fd,
    given: NOTHING,
    back: () => {
      const { uid, gid } = statsOf(fd) ?? before;
      if (uid !== before.uid || gid !== before.gid) fchownSync(fd, before.uid, before.gid);
    },
  };
}

/** What stands for the device where none can be made can't be written to. */
function openNull(path: string, fd: number): number | undefined {
  const way = fd === 0 ? constants.O_RDONLY : constants.O_WRONLY;
  try {
    return openSync(path, way | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}

/** A descriptor that the caller has closed is nobody's. */
function statsOf(fd: number): Stats | undefined {
  try {
    return fstatSync(fd);
  } catch {
    return undefined;
  }
}

const nullDevice = (): number => statSync('/dev/null').rdev;
