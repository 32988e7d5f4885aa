/** Go's own checksum of a module (`h1:`). */
import { createHash } from 'node:crypto';
import { eachZipEntry } from './zip.ts';

/** Base64 sha256 over the sorted lines `<sha256 of the file>  <name>` of a module's zip. */
export async function goModuleSum(zip: string): Promise<string> {
  const lines: [name: string, line: string][] = [];
  await eachZipEntry(zip, async ({ path, kind, body }) => {
    if (kind !== 'file') return;
    const hash = createHash('sha256');
    for await (const chunk of body ?? []) hash.update(chunk);
    lines.push([path, `${hash.digest('hex')}  ${path}\n`]);
  });
  lines.sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(lines.map(([, line]) => line).join(''))
    .digest('base64');
}
