/**
 * Where people are signed in: one file in the user's configuration, which only they may read. A password is never kept;
 * a token is renewed with what the server gave for that.
 */
import { lstat, mkdir, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { replaceFile } from '../machine/host/replace-file.ts';
import { checkedJson, readCheckedJson } from '../words/checked-json.ts';
import { errnoOf, StagerError } from '../words/errors.ts';

const Login = z.object({
  /** Of the sign-in, where a token is renewed. */
  login: z.url(),
  clientId: z.string(),
  accessToken: z.string(),
  refreshToken: z.string().exactOptional(),
});
const File = z.object({ servers: z.record(z.string(), Login) });

/** One server that somebody is signed in to. */
export type Login = Readonly<z.output<typeof Login>>;

/** The login of a server, if there is one. */
export async function readLogin(file: string, server: string): Promise<Login | undefined> {
  return (await readLogins(file))[server];
}

/** Keeps the login of a server beside the others. @throws StagerError CONFIG_INVALID, with the path, for what is in the way. */
export async function saveLogin(file: string, server: string, login: Login): Promise<void> {
  const servers = { ...(await readLogins(file)), [server]: login };
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await replaceFile(file, checkedJson({ servers }), { mode: 0o600, durable: true });
  } catch (error) {
    throw await inTheWay(file, error);
  }
}

/** A file that is not what was written counts as none (a token goes to no other address); the next login writes it anew. */
async function readLogins(file: string): Promise<Readonly<Record<string, Login>>> {
  const text = await readFile(file, 'utf8').catch(async (error: unknown) => {
    if (errnoOf(error) === 'ENOENT' && !(await leadsNowhere(dirname(file)))) return '';
    throw await inTheWay(file, error);
  });
  return File.safeParse(readCheckedJson(text)).data?.servers ?? {};
}

async function inTheWay(file: string, error: unknown): Promise<unknown> {
  const errno = errnoOf(error) ?? '';
  if (!/^E(ISDIR|NOTDIR|EXIST|LOOP|ACCES|PERM|NOENT)$/.test(errno)) return error;
  const path = (await isDirectory(dirname(file))) ? file : dirname(file);
  return new StagerError('CONFIG_INVALID', `the logins in ${file} can't be read or written (${errno})`, {
    next: `Remove ${path}, or give the user that runs stager access to it; then run: stager login URL`,
    details: { path },
    cause: error,
  });
}

/** A link whose end is not there: nothing can be kept below it. */
const leadsNowhere = async (path: string): Promise<boolean> =>
  (await lstat(path).catch(() => undefined))?.isSymbolicLink() === true && !(await isDirectory(path));

const isDirectory = (path: string): Promise<boolean> =>
  stat(path).then(
    (facts) => facts.isDirectory(),
    () => false,
  );
