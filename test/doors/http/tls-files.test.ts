import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, expect, it } from 'vitest';
import { createListener } from '../../../src/doors/http/listener.ts';
import { readTlsFiles, watchTlsFiles } from '../../../src/doors/http/tls-files.ts';
import { type Identity, TestAuthority } from '../../support/test-authority.ts';

const authority = new TestAuthority('tls-files');
afterAll(() => authority.close());

/** The name in the certificate that the server shows now. */
async function shownName(port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { subjectaltname = '' } = socket.getPeerCertificate();
  socket.destroy();
  return subjectaltname;
}

it('are read again when they change, and what does not fit together changes nothing', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'stager-tls-'));
  const paths = { certFile: join(dir, 'cert.pem'), keyFile: join(dir, 'key.pem') };
  const write = async ({ cert, key }: Identity) => {
    await writeFile(paths.certFile, cert);
    await writeFile(paths.keyFile, key);
  };
  await write(authority.identity('first.test'));
  const server = createListener((_, response) => response.end('ok'), await readTlsFiles(paths));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const unwatch = watchTlsFiles(server, paths, 20);
  expect(await shownName(port)).toBe('DNS:first.test');
  await writeFile(paths.keyFile, 'half a key');
  await write(authority.identity('second.test'));
  await expect.poll(async () => await shownName(port), { timeout: 60_000 }).toBe('DNS:second.test');
  unwatch();
  server.close();
  await rm(dir, { recursive: true });
});

it('that do not belong together are refused at the start, with their names', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'stager-tls-'));
  const paths = { certFile: join(dir, 'cert.pem'), keyFile: join(dir, 'key.pem') };
  await writeFile(paths.certFile, authority.identity('first.test').cert);
  await writeFile(paths.keyFile, authority.identity('second.test').key);
  await expect(readTlsFiles(paths)).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    details: paths,
  });
  await rm(dir, { recursive: true });
});
