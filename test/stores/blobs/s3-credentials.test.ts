/** Every place that credentials for S3 may come from, each the only one; an in-process server stands for all of AWS. */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openBlobStore } from '../../../src/stores/blobs/open.ts';
import { portOf } from '../../support/resigning-proxy.ts';

const [ID, SECRET, TOKEN] = ['AKIDTEST', 'never-show-this-secret', 'session-token'];
const soon = new Date(Date.now() + 3_600_000).toISOString();
const KEYS = { AccessKeyId: ID, SecretAccessKey: SECRET, Token: TOKEN, Expiration: soon };
const ASSUMED = `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult><Credentials>
    <AccessKeyId>${ID}</AccessKeyId><SecretAccessKey>${SECRET}</SecretAccessKey>
    <SessionToken>${TOKEN}</SessionToken><Expiration>${soon}</Expiration>
  </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`;
const ROLE = '/latest/meta-data/iam/security-credentials/';
/** What each service of AWS says. */
const ANSWERS: Readonly<Record<string, string>> = {
  'PUT /latest/api/token': 'session',
  [`GET ${ROLE}`]: 'role',
  [`GET ${ROLE}role`]: JSON.stringify({ Code: 'Success', ...KEYS }),
  'GET /container': JSON.stringify(KEYS),
  'POST /': ASSUMED,
};

let root: string;
let server: Server;
let asked: string[];
let signed: IncomingHttpHeaders | undefined;
const environment = process.env;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'stager-credentials-'));
  server = createServer((request, response) => {
    const what = `${request.method} ${request.url}`;
    asked.push(what);
    if (request.url?.startsWith('/chain') === true) signed = request.headers;
    request.resume();
    response.setHeader('content-type', what === 'POST /' ? 'text/xml' : 'text/plain');
    response.end(ANSWERS[what] ?? '<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const profile = `[ops]\naws_access_key_id = ${ID}\naws_secret_access_key = ${SECRET}\n`;
  await writeFile(join(root, 'credentials'), profile);
  await writeFile(join(root, 'identity'), 'web-identity-token');
});
beforeEach(() => {
  [asked, signed] = [[], undefined];
});
afterEach(() => {
  process.env = environment;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(root, { recursive: true, force: true });
});

const service = (): string => `http://127.0.0.1:${portOf(server)}`;

/** Lists the bucket with nothing but `env` to find credentials by. A proxy that nobody answers at is set as well. */
async function list(env: Readonly<Record<string, string>>, more = ''): Promise<void> {
  process.env = {
    HOME: root,
    AWS_SHARED_CREDENTIALS_FILE: join(root, 'none'),
    AWS_CONFIG_FILE: join(root, 'none'),
    AWS_EC2_METADATA_DISABLED: 'true',
    ...env,
  };
  const address = `s3://chain/p?endpoint=${service()}&attempts=1${more}`;
  const store = await openBlobStore(address, { proxy: { http: 'http://127.0.0.1:1', no: '127.0.0.1' } });
  const { signal } = new AbortController();
  for await (const { key } of store.names('packages', { signal })) expect(key).toBeUndefined();
}

describe('credentials for S3', () => {
  it('come from the environment', async () => {
    await list({ AWS_ACCESS_KEY_ID: ID, AWS_SECRET_ACCESS_KEY: SECRET });
    expect(signed?.authorization).toContain(`Credential=${ID}/`);
    expect(asked).toHaveLength(1);
  });

  it('come from a profile that the address or the environment names', async () => {
    for (const [env, more] of [
      [{}, '&profile=ops'],
      [{ AWS_PROFILE: 'ops' }, ''],
    ] as const) {
      signed = undefined;
      await list({ AWS_SHARED_CREDENTIALS_FILE: join(root, 'credentials'), ...env }, more);
      expect(signed).toMatchObject({ authorization: expect.stringContaining(`Credential=${ID}/`) });
    }
  });

  it.each([
    [
      'a web identity',
      () => ({
        AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/stager',
        AWS_WEB_IDENTITY_TOKEN_FILE: join(root, 'identity'),
        AWS_ENDPOINT_URL_STS: service(),
        AWS_REGION: 'us-east-1',
      }),
      'POST /',
    ],
    [
      'the container',
      () => ({ AWS_CONTAINER_CREDENTIALS_FULL_URI: `${service()}/container` }),
      'GET /container',
    ],
    [
      'the instance',
      () => ({ AWS_EC2_METADATA_DISABLED: 'false', AWS_EC2_METADATA_SERVICE_ENDPOINT: service() }),
      `GET ${ROLE}role`,
    ],
  ])('come from %s, with their session token', async (_name, env, request) => {
    await list(env());
    expect(asked).toContain(request);
    expect(signed).toMatchObject({
      authorization: expect.stringContaining(`Credential=${ID}/`),
      'x-amz-security-token': TOKEN,
    });
  });

  it('are said to be missing when there are none', async () => {
    await expect(list({})).rejects.toMatchObject({
      code: 'BLOBSTORE_DENIED',
      message: expect.stringMatching(/there are no credentials.*bucket chain/),
      next: expect.stringContaining('AWS_ACCESS_KEY_ID'),
    });
    expect(asked).toEqual([]);
  });
});
