/** Files of Maven Central that no manifest lists: their checksums are those that it states itself. */
import { type Checksum, checksum } from './checksum.ts';
import { fetchText, NotThere } from './download.ts';
import { type Env, locate } from './mirrors.ts';

/** The sha512 that lies beside the file of a `maven:` URI; undefined when there is no such file. */
export async function statedMavenSum(uri: string, env: Env): Promise<Checksum | undefined> {
  try {
    const text = await fetchText(`${locate(uri, env)}.sha512`, 1024);
    return checksum('sha512', text.trim().split(/\s/)[0] ?? '');
  } catch (error) {
    if (error instanceof NotThere && error.status === 404) return undefined;
    throw error;
  }
}
