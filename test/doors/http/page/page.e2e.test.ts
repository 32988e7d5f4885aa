/**
 * The pages in a real browser: the Chromium of this machine, without a window. STAGER_TEST_SCREENSHOTS=1 writes the
 * pictures of the README again.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import axe from 'axe-core';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Api, guidIn } from '../support/api.ts';
import { newApp } from '../support/apps.ts';
import { readyPackage, staged } from '../support/builds.ts';
import { notRun } from '../support/served.ts';
import { PERSON, type Script, startScripted } from './scripted.ts';

const IMAGES = fileURLToPath(new URL('../../../../docs/images/', import.meta.url));
const CHROMIUM = spawnSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' }).stdout.trim();

const RED = '\u001b[31m';
const NICE: readonly string[] = [
  '\u001b[1;34m-----> Nodejs Buildpack version 1.2.0\u001b[0m',
  '       engines.node (package.json): 24.x',
  '\u001b[32m-----> Installing node 24.21.0\u001b[0m',
  '       Copy [/buildpack/dependencies/node_24.21.0_linux_x64.tgz]',
  '\u001b[32m-----> Installing packages with npm ci\u001b[0m',
  '       added 412 packages in 11s',
  `${RED}npm warn deprecated inflight@1.0.6: This module is not supported\u001b[0m`,
  '       58 packages are looking for funding',
  `       ${'a long line that goes on '.repeat(20)}and ends`,
  '-----> Build succeeded',
];
const HOSTILE = '</a><img src=x onerror=alert(1)><script>alert(1)</script>\u202Eevil';
const HOSTILE_LINES: readonly string[] = [
  HOSTILE,
  '\u001b]0;owned\u0007\u001b]8;;javascript:alert(1)\u0007click\u001b]8;;\u0007\u001b[2J\u001b[31mred\u0007',
  '" onmouseover="alert(1)" x="',
  "'><svg/onload=alert(1)>",
];

const files = (modules: number) => ({
  './app/server.js': 4000,
  './app/public/logo.svg': 30_000,
  './app/node_modules/express/index.js': 90_000,
  './app/node_modules/sharp/lib.so': modules,
  './deps/0/node/bin/node': 700_000,
  './profile.d/0_nodejs.sh': 200,
});

let openGate: () => void = () => undefined;
const gate = new Promise<void>((resolve) => {
  openGate = resolve;
});

function scriptOf(app: string, times: number): Script {
  if (app === 'live') return { lines: ['first', 'second'], files: files(1), commands: {}, gate };
  if (app === 'shop') {
    return {
      lines: NICE,
      files: files(200_000 * (times + 1)),
      commands: { web: 'node server.js', worker: 'node jobs.js' },
    };
  }
  return {
    lines: HOSTILE_LINES,
    files: { [`app/${HOSTILE.replaceAll('/', '|')}/x`]: 5, 'app/y/x': 5 },
    commands: { web: HOSTILE, [HOSTILE]: 'x' },
  };
}

if (CHROMIUM === '') notRun('the pages in a browser', 'there is no chromium (apt-get install chromium)');
else describe('the pages in a browser', tests);

function tests(): void {
  let api: Api;
  let close: () => Promise<void> = () => Promise.resolve();
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  /** What a page of ours must never make a browser say. */
  const complaints: string[] = [];
  const made = { shop: '', build: '', droplets: ['', ''], hostile: '', hostileBuild: '', hostileDroplet: '' };

  const watched = async (options: Parameters<Browser['newContext']>[0] = {}): Promise<BrowserContext> => {
    const opened = await browser.newContext({
      viewport: { width: 1100, height: 760 },
      locale: 'en-GB',
      ...options,
    });
    // Only for what hangs: a busy machine is not a failure.
    opened.setDefaultTimeout(120_000);
    opened.on('page', (each) => {
      each.on('dialog', (dialog) => complaints.push(`dialog: ${dialog.message()}`));
      each.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
      each.on('console', (message) => {
        if (/content security policy|refused to/i.test(message.text())) complaints.push(message.text());
      });
    });
    return opened;
  };
  const signIn = async (on: Page): Promise<void> => {
    await on.goto(`${api.url}/`);
    await on.getByLabel('User').fill(PERSON.username);
    await on.getByLabel('Password').fill(PERSON.password);
    await on.keyboard.press('Enter');
    await on.getByRole('heading', { name: 'Apps', level: 1 }).waitFor();
  };
  const stage = async (app: string): Promise<{ build: string; droplet: string }> => {
    const reply = await staged(api, await readyPackage(api, app));
    const { droplet } = reply.body;
    const guid = typeof droplet === 'object' && droplet !== null && 'guid' in droplet ? droplet.guid : '';
    return { build: guidIn(reply), droplet: String(guid) };
  };
  const places = (): readonly string[] => [
    '/',
    `/apps/${made.shop}`,
    `/builds/${made.build}`,
    `/builds/${made.build}?q=npm`,
    `/droplets/${made.droplets[1]}`,
    `/droplets/${made.droplets[1]}/diff?from=${made.droplets[0]}`,
    '/platform',
    '/queue',
    '/saved',
    `/apps/${made.hostile}`,
    `/builds/${made.hostileBuild}`,
    `/droplets/${made.hostileDroplet}`,
    `/builds/${crypto.randomUUID()}`,
  ];

  beforeAll(async () => {
    const started = await startScripted(scriptOf);
    ({ api, close } = started);
    made.shop = await newApp(api, { name: 'shop' });
    const first = await stage(made.shop);
    const second = await stage(made.shop);
    Object.assign(made, { build: second.build, droplets: [first.droplet, second.droplet] });
    await api.ask('PATCH', `/v3/apps/${made.shop}/relationships/current_droplet`, {
      body: { data: { guid: second.droplet } },
    });
    made.hostile = await newApp(api, { name: 'hostile' });
    // The API takes no such name; what was there before it did is shown as well.
    await api.service.database.run('update apps set name = $1 where guid = $2', [HOSTILE, made.hostile]);
    const other = await stage(made.hostile);
    Object.assign(made, { hostileBuild: other.build, hostileDroplet: other.droplet });
    // As long as its phases say.
    await api.service.database.run(
      `update builds set claimed_at = finished_at - interval '43 seconds', created_at = finished_at - interval '45 seconds'`,
    );
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
    context = await watched();
    page = await context.newPage();
    await signIn(page);
  });

  afterAll(async () => {
    await browser?.close();
    await close();
  });

  it('list apps, and lead to builds, droplets and processes', async () => {
    await page.getByRole('link', { name: 'shop', exact: true }).click();
    await page.getByRole('heading', { name: 'shop' }).waitFor();
    const processes = page.getByRole('table', { name: 'Processes' });
    expect(await processes.textContent()).toContain('node server.js');
    await page.getByRole('table', { name: 'Builds' }).getByRole('link').first().click();
    await page.getByRole('table', { name: 'Phases' }).waitFor();
    expect(await page.getByRole('row', { name: /^supply\[0\] nodejs done 24\.0s/ }).count()).toBe(1);
    const bar = await page
      .getByRole('row', { name: /^supply/ })
      .locator('rect.done')
      .boundingBox();
    const track = await page
      .getByRole('row', { name: /^supply/ })
      .locator('rect.track')
      .boundingBox();
    // 24 of 43 seconds, after three.
    expect((bar?.width ?? 0) / (track?.width ?? 1)).toBeCloseTo(24 / 43, 1);
  });

  it('show a log in its colours, wrapped or not, with a link to each line', async () => {
    await page.goto(`${api.url}/builds/${made.build}`);
    const red = page.getByText('npm warn deprecated', { exact: false });
    expect(await red.evaluate((each) => each.ownerDocument.defaultView.getComputedStyle(each).color)).toBe(
      'rgb(168, 32, 26)',
    );
    const long = page.locator('.line', { hasText: 'goes on' });
    const tall = (await long.boundingBox())?.height ?? 0;
    await page.getByLabel('Wrap long lines').uncheck();
    expect((await long.boundingBox())?.height).toBeLessThan(tall);
    await page.getByLabel('Find in the log').fill('INSTALLING');
    await page.keyboard.press('Enter');
    await page.getByText('2 lines with “INSTALLING”').waitFor();
    expect(await page.locator('mark').allTextContents()).toEqual(['Installing', 'Installing']);
    await page.locator('.line a').last().click();
    await page.waitForURL(/\?line=\d+#L\d+$/);
    const target = page.locator('.line:target');
    expect(await target.textContent()).toContain('npm ci');
  });

  it('grow a log while it is written, and show the end of the build without a reload', async () => {
    const app = await newApp(api, { name: 'live' });
    const source = await readyPackage(api, app);
    const build = guidIn(await api.ask('POST', '/v3/builds', { body: { package: { guid: source } } }));
    await page.goto(`${api.url}/builds/${build}`);
    await page.locator('.line', { hasText: 'first' }).waitFor();
    expect(await page.locator('#facts').getAttribute('data-state')).toBe('STAGING');
    await page.evaluate("document.body.setAttribute('data-same', 'yes')");
    openGate();
    await page.locator('.line', { hasText: 'second' }).waitFor();
    await page.locator('#facts[data-state=STAGED]').waitFor();
    expect(await page.locator('body').getAttribute('data-same')).toBe('yes');
    const link = await page.locator('.line a').last().getAttribute('href');
    expect(link).toMatch(new RegExp(`^/builds/${build}\\?line=\\d+#L\\d+$`));
  });

  it('draw the folders of a droplet, go into one, and say what grew', async () => {
    await page.goto(`${api.url}/droplets/${made.droplets[1]}`);
    expect(await page.locator('svg.map rect').count()).toBeGreaterThan(5);
    await page.getByRole('table', { name: 'Folders' }).getByRole('link', { name: 'app' }).click();
    await page.getByRole('link', { name: 'node_modules' }).waitFor();
    await page.getByRole('button', { name: 'Compare' }).click();
    const first = page.getByRole('table', { name: 'Changes' }).getByRole('row').nth(1);
    expect(await first.textContent()).toMatch(/app\/node_modules\/sharp\s*\+195 KiB/);
  });

  it('take nothing that an app says for markup, script or direction', async () => {
    for (const place of [
      `/apps/${made.hostile}`,
      `/builds/${made.hostileBuild}`,
      `/droplets/${made.hostileDroplet}`,
      '/',
    ]) {
      await page.goto(`${api.url}${place}`);
      expect(await page.content()).toContain('&lt;script&gt;alert(1)&lt;/script&gt;[U+202E]evil');
      expect(await page.locator('main script, main img, [onmouseover], [onerror], [onload]').count()).toBe(0);
      expect(await page.title()).not.toContain('\u202E');
      expect(await page.locator('a[href^=javascript]').count()).toBe(0);
    }
    expect(complaints).toEqual([]);
  });

  it('have nothing that keeps people out, light and dark', async () => {
    const found: string[] = [];
    const out = await watched();
    const stranger = await out.newPage();
    for (const [on, place] of [
      [stranger, '/sign-in'] as const,
      ...places().map((each) => [page, each] as const),
    ]) {
      await on.goto(`${api.url}${place}`);
      await on.evaluate(axe.source);
      for (const colorScheme of ['light', 'dark'] as const) {
        await on.emulateMedia({ colorScheme });
        // Only colours differ in the dark.
        const rules = colorScheme === 'light' ? {} : { runOnly: ['color-contrast'] };
        const { violations } = await on.evaluate(
          async (options) => await (globalThis as unknown as { axe: typeof axe }).axe.run(options),
          rules,
        );
        for (const { id, nodes } of violations) {
          found.push(`${place} (${colorScheme}): ${id}: ${nodes[0]?.html.slice(0, 200)}`);
        }
      }
      await on.emulateMedia({ colorScheme: 'light' });
    }
    expect(found).toEqual([]);
    await out.close();
  });

  it('fit a narrow screen', async () => {
    await page.setViewportSize({ width: 320, height: 640 });
    const wide: string[] = [];
    for (const place of places()) {
      await page.goto(`${api.url}${place}`);
      const width: unknown = await page.evaluate('document.documentElement.scrollWidth');
      if (width !== 320) wide.push(`${place}: ${width}`);
    }
    expect(wide).toEqual([]);
    await page.setViewportSize({ width: 1100, height: 760 });
  });

  it('are used by keyboard: the first key leads past the menu', async () => {
    await page.goto(`${api.url}/`);
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to content');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/apps\/[\w-]{36}$/);
  });

  it('say times in the zone of the reader, and in UTC without a script', async () => {
    const iso = '2026-01-31T22:30:00Z';
    await api.service.database.run(`update apps set updated_at = '${iso}' where guid = '${made.shop}'`);
    const tokyo = await watched({ timezoneId: 'Asia/Tokyo', storageState: await context.storageState() });
    const there = await tokyo.newPage();
    await there.goto(`${api.url}/`);
    expect(await there.locator('time[datetime="2026-01-31T22:30:00.000Z"]').textContent()).toBe(
      '1 Feb 2026, 07:30:00',
    );
    await tokyo.close();
    const plain = await watched({ javaScriptEnabled: false });
    const still = await plain.newPage();
    await signIn(still);
    expect(await still.locator('time[datetime="2026-01-31T22:30:00.000Z"]').textContent()).toBe(
      '2026-01-31 22:30:00 UTC',
    );
    await still.goto(`${api.url}/builds/${made.build}?q=npm`);
    expect(await still.locator('.line').count()).toBe(2);
    await still.goto(`${api.url}/droplets/${made.droplets[1]}`);
    expect(await still.locator('svg.map rect').count()).toBeGreaterThan(5);
    await still.getByRole('button', { name: 'Sign out' }).click();
    await still.getByRole('heading', { name: 'Sign in' }).waitFor();
    await plain.close();
  });

  it('are small, and come from this server alone', async () => {
    const fresh = await watched({ storageState: await context.storageState() });
    const empty = await fresh.newPage();
    const asked: { readonly url: string; readonly bytes: Promise<number> }[] = [];
    empty.on('requestfinished', (request) =>
      asked.push({ url: request.url(), bytes: request.sizes().then((sizes) => sizes.responseBodySize) }),
    );
    await empty.goto(`${api.url}/builds/${made.build}`, { waitUntil: 'networkidle' });
    expect(asked.filter(({ url }) => !url.startsWith(`${api.url}/`))).toEqual([]);
    const bytes = await Promise.all(asked.map((each) => each.bytes));
    expect(bytes.reduce((sum, each) => sum + each, 0)).toBeLessThan(30_000);
    await fresh.close();
  });

  it('let a link from elsewhere find who is signed in', async () => {
    const elsewhere = await context.newPage();
    await elsewhere.goto(`data:text/html,<a href="${api.url}/apps/${made.shop}">go</a>`);
    await elsewhere.getByRole('link', { name: 'go' }).click();
    await elsewhere.getByRole('heading', { name: 'shop' }).waitFor();
    await elsewhere.close();
  });

  it.runIf(process.env['STAGER_TEST_SCREENSHOTS'] === '1')('have their pictures taken', async () => {
    mkdirSync(IMAGES, { recursive: true });
    await page.goto(`${api.url}/builds/${made.build}`);
    await page.screenshot({ path: `${IMAGES}page-build.png` });
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.goto(`${api.url}/droplets/${made.droplets[1]}`);
    await page.getByRole('heading', { name: 'Folder sizes' }).scrollIntoViewIfNeeded();
    await page.screenshot({ path: `${IMAGES}page-droplet.png` });
  });

  it('sign out', async () => {
    await page.goto(`${api.url}/`);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await page.goto(`${api.url}/apps/${made.shop}`);
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    expect(complaints).toEqual([]);
  });
}
