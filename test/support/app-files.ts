/** An app of a few files, for what reads a directory. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { dir as tempDir } from 'tmp-promise';

/** Contents by their paths in the app. */
export type AppFiles = Readonly<Record<string, string | Buffer>>;

/** What `use` returns for a directory with these files, which is gone afterwards. */
export async function withAppFiles<T>(files: AppFiles, use: (path: string) => Promise<T>): Promise<T> {
  const { path, cleanup } = await tempDir({ unsafeCleanup: true });
  try {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(path, name)), { recursive: true });
      await writeFile(join(path, name), text);
    }
    return await use(path);
  } finally {
    await cleanup();
  }
}
