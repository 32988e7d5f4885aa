/** Publishes a port of a network on the machine, through the socket on which slirp4netns takes orders. */
import { open } from 'node:fs/promises';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { StagerError } from '../../words/errors.ts';
import { parseJson } from '../../words/json.ts';

/** Name of the socket. */
export const SOCKET = 'orders';

const Answer = z.object({ error: z.object({ desc: z.string() }).optional() });

/**
 * Has slirp4netns, whose socket is in `directory`, listen at `address` and hand connections on to the same port inside.
 *
 * @throws StagerError PORT_IN_USE
 */
export async function publishPort(directory: string, port: number, address: string): Promise<void> {
  // The path of a socket may have 107 bytes; this one is short wherever the directory is.
  await using handle = await open(directory);
  const socket = connect(`/proc/self/fd/${handle.fd}/${SOCKET}`);
  const order = { proto: 'tcp', host_addr: address, host_port: port, guest_port: port };
  socket.end(JSON.stringify({ execute: 'add_hostfwd', arguments: order }));
  const said = await text(socket);
  const answer = Answer.safeParse(parseJson(said));
  if (answer.success && answer.data.error === undefined) return;
  throw new StagerError('PORT_IN_USE', `can't listen on port ${port} of ${address} on this machine`, {
    next: 'Give another --port, or 0 for any free port.',
    details: { port, address, said: said.slice(0, 200) },
  });
}
