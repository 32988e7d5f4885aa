/** What a program is made for, by its first bytes. */
import { open } from 'node:fs/promises';

/** `none`: no program, or no such file. */
export type ProgramKind = 'x64' | 'arm64' | 'another machine' | 'Windows' | 'macOS' | 'none';

const MACHINES: Readonly<Record<number, ProgramKind>> = { 62: 'x64', 183: 'arm64' };
const MACOS = ['cffaedfe', 'cafebabe', 'feedfacf'];

/** Reads the header of a file. */
export async function programKind(path: string): Promise<ProgramKind> {
  const handle = await open(path).catch(() => undefined);
  if (handle === undefined) return 'none';
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(20), 0, 20, 0).catch(() => ({
      buffer: Buffer.alloc(0),
      bytesRead: 0,
    }));
    if (bytesRead < 20) return 'none';
    if (buffer.toString('latin1', 0, 4) === '\x7fELF') {
      return MACHINES[buffer.readUInt16LE(18)] ?? 'another machine';
    }
    if (buffer.toString('latin1', 0, 2) === 'MZ') return 'Windows';
    return MACOS.includes(buffer.toString('hex', 0, 4)) ? 'macOS' : 'none';
  } finally {
    await handle.close();
  }
}
