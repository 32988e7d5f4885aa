/** One app with three of the shipped buildpacks: nodejs and python supply, go builds and starts it. */
import { expect, it } from 'vitest';
import { Driver } from '../support/buildpack-driver.ts';

it('an app in Go finds the Node and the Python that buildpacks before it supplied', async () => {
  await using app = await Driver.of('three-languages');
  const staged = await app.stage('nodejs', 'python', 'go');
  expect(staged, staged.output).toMatchObject({ code: 0 });
  await app.launch('./bin/three-languages', async (url) => {
    expect(await (await fetch(url)).text()).toBe('Hello from go, node 24, python 3.14\n');
  });
});
