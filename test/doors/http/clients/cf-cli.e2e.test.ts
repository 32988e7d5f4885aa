/**
 * The real `cf` over every command that the endpoint is for, against a server of its own over each pair of stores.
 * STAGER_CF_CLI names the program; several are separated by colons.
 */
import { basename } from 'node:path';
import { beforeAll } from 'vitest';
import { describeServed, notRun } from '../support/served.ts';
import { CF_PROGRAMS, Cf } from './cf.ts';
import { appSteps } from './cf-app-steps.ts';
import { cnbSteps } from './cf-cnb-steps.ts';
import { imageSteps } from './cf-image-steps.ts';
import { platformSteps } from './cf-platform-steps.ts';
import { pushSteps } from './cf-push-steps.ts';
import { stagingSteps } from './cf-staging-steps.ts';

if (CF_PROGRAMS.length === 0) {
  notRun('the commands of the real cf', 'STAGER_CF_CLI does not say where a cf program is');
}
for (const program of CF_PROGRAMS) {
  describeServed(`the commands of ${basename(program)}`, (served) => {
    let cf: Cf | undefined;
    const client = (): Cf => {
      if (cf === undefined) throw new Error('cf did not sign in');
      return cf;
    };
    beforeAll(async () => {
      cf = await Cf.make(program, served(), 'work');
      await cf.signIn(served(), 'acme');
      await cf.write(APPS);
    });
    stagingSteps(client);
    pushSteps(client);
    imageSteps({ cf: client, served });
    cnbSteps({ cf: client, served });
    appSteps(client);
    platformSteps({ cf: client, served });
  });
}

/** Files that the steps send. */
const APPS = {
  'shop/index.html': 'hello\n',
  'shop/Staticfile': '',
  // Above the size from which a client asks whether the server has a file.
  'shop/big.txt': 'a line of a big file\n'.repeat(5000),
  'shop/manifest.yml': [
    'applications:',
    '- name: ((app))',
    '  memory: 64M',
    '  env: {GREETING: ((greeting))}',
    '',
  ].join('\n'),
  'vars.yml': 'app: shop\ngreeting: ho\n',
  'two/manifest.yml': [
    'applications:',
    '- name: one',
    '  path: one',
    '  buildpacks: [staticfile_buildpack]',
    '- name: two',
    '  path: two',
    '  no-route: true',
    '',
  ].join('\n'),
  'two/one/index.html': 'one\n',
  'two/one/Staticfile': '',
  'two/two/index.html': 'two\n',
  'two/two/Staticfile': '',
  'passwords.json': '{"password":"hunter2"}',
};
