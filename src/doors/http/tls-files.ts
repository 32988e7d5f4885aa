/** Certificate and key as files that somebody else renews: read at start, and again when they change. */
import { unwatchFile, watchFile } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { StagerError } from '../../words/errors.ts';
import type { TlsFiles } from './listener.ts';

/** Where they are. */
export interface TlsPaths {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Milliseconds between looks; a renewal is announced by nothing else on network file systems. */
const LOOK_EVERY_MS = 5000;

/** @throws StagerError CONFIG_INVALID for files that are missing or do not belong together. */
export async function readTlsFiles({ certFile, keyFile }: TlsPaths): Promise<TlsFiles> {
  try {
    const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
    createSecureContext({ cert, key });
    return { cert, key };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new StagerError('CONFIG_INVALID', `the certificate ${certFile} can't be used: ${why}`, {
      next: 'Give --tls-cert a certificate (chain) in PEM, and --tls-key the key that belongs to it.',
      details: { certFile, keyFile },
      cause,
    });
  }
}

/** New connections get the new certificate; files that do not fit (yet) change nothing. @returns what ends the watch. */
export function watchTlsFiles(server: Server, paths: TlsPaths, lookEveryMs = LOOK_EVERY_MS): () => void {
  const reload = (): void => {
    readTlsFiles(paths).then(
      (files) => takesContext(server) && server.setSecureContext(files),
      () => undefined,
    );
  };
  const files = [paths.certFile, paths.keyFile];
  for (const file of files) watchFile(file, { interval: lookEveryMs, persistent: false }, reload);
  return () => {
    for (const file of files) unwatchFile(file, reload);
  };
}

function takesContext(
  server: Server,
): server is Server & { setSecureContext(options: SecureContextOptions): void } {
  return 'setSecureContext' in server;
}
