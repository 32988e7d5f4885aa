/** `stager login`: signs in to a server, and keeps the token for `stage --server`. */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { type SignInAs, signIn } from '../../../remote/sign-in.ts';
import { StagerError } from '../../../words/errors.ts';
import type { Context } from '../input/context.ts';

/** A person gives name and password, a program the id of its client and its secret. */
export async function loginCommand(context: Context): Promise<number> {
  const { config, output, args, flags, signal } = context;
  const url = String(args[0]);
  const stager = await context.stager();
  const credentials = await credentialsOf(config, flags, signal);
  await signIn({ ...(await stager.remoteHttp(signal)), file: config.loginsFile }, url, credentials);
  const who = credentials.kind === 'password' ? credentials.username : credentials.clientId;
  if (output.json) output.object({ type: 'signed-in', server: url, as: who });
  else output.line(`Signed in to ${url} as ${who}. Now: stager stage --server ${url}`);
  return 0;
}

async function credentialsOf(
  { password, clientSecret }: Context['config'],
  { username, client }: Context['flags'],
  signal: AbortSignal,
): Promise<SignInAs> {
  if (typeof client === 'string') {
    if (username !== undefined) throw usage('--username and --client cannot be used together');
    const secret = clientSecret ?? (await asked('Secret: ', signal));
    return { kind: 'client', clientId: client, clientSecret: secret };
  }
  if (typeof username !== 'string') throw usage('login needs a user or a client');
  return { kind: 'password', username, password: password ?? (await asked('Password: ', signal)) };
}

/** Asked for at the terminal without showing it; else the first line of stdin. */
async function asked(question: string, signal: AbortSignal): Promise<string> {
  const terminal = process.stdin.isTTY === true;
  if (terminal) process.stderr.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: silent, terminal, signal });
  try {
    for await (const line of lines) return line;
  } finally {
    lines.close();
    if (terminal) process.stderr.write('\n');
  }
  throw usage('login needs a password');
}

function usage(message: string): StagerError {
  return new StagerError('USAGE', message, {
    next: 'Give --username NAME or --client ID; stager asks for the password or secret unless STAGER_PASSWORD or STAGER_CLIENT_SECRET is set.',
  });
}
