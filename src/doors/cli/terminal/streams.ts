/**
 * stdout and stderr of the command line tool, which never hold it up.
 *
 * Node writes to a pipe and waits until it is read: with a reader that stops, no timer fires and no signal is handled. A pipe
 * that is opened again has a mode of its own, so that writing to it need not wait, and whoever shares the old one notices
 * nothing. Files and terminals are written as ever.
 */
import { constants, fstatSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';

/** A stream and what a terminal has besides. */
export type OwnStream = Writable & { readonly isTTY?: boolean; readonly columns?: number };

let own: { readonly stdout: OwnStream; readonly stderr: OwnStream } | undefined;

/** The two streams; always the same. */
export function ownStreams(): { readonly stdout: OwnStream; readonly stderr: OwnStream } {
  own ??= { stdout: unhindered(1) ?? process.stdout, stderr: unhindered(2) ?? process.stderr };
  return own;
}

function unhindered(descriptor: 1 | 2): OwnStream | undefined {
  try {
    if (!fstatSync(descriptor).isFIFO()) return undefined;
    const fd = openSync(`/proc/self/fd/${descriptor}`, constants.O_WRONLY | constants.O_NONBLOCK);
    return new Socket({ fd, readable: false, writable: true });
  } catch {
    // A pipe of somebody else, or nobody reads it any more: Node's own stream says so.
    return undefined;
  }
}
