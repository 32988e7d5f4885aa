/** Jars of a few files, and class files that say no more than which Java they are for. */
import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';

/** The head of a class file that was compiled for `java`. */
export function classFor(java: number, text = ''): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(0xcafebabe);
  head.writeUInt16BE(java + 44, 6);
  return Buffer.concat([head, Buffer.from(text)]);
}

/** A jar with these entries, and a manifest of these lines. */
export async function jarOf(
  manifest: Readonly<Record<string, string>>,
  entries: Readonly<Record<string, Buffer | string>> = {},
): Promise<Buffer> {
  const zip = new ZipFile();
  zip.addBuffer(Buffer.from(manifestText(manifest)), 'META-INF/MANIFEST.MF');
  for (const [name, content] of Object.entries(entries)) zip.addBuffer(Buffer.from(content), name);
  zip.end();
  return buffer(zip.outputStream);
}

/** META-INF/MANIFEST.MF with Windows' line ends, as some tools write it. */
export function manifestText(manifest: Readonly<Record<string, string>>): string {
  const lines = Object.entries({ 'Manifest-Version': '1.0', ...manifest });
  return `${lines.map(([key, value]) => `${key}: ${value}\r\n`).join('')}\r\n`;
}
