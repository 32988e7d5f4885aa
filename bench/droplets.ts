/** Issue "Droplets at the speed of the disk", line by line, against what Cloud Foundry's builder does. */
import { rmSync, writeFileSync } from 'node:fs';
import { mixedFile, nodeApp, source, sparseFile, tinyFiles } from './inputs.ts';
import { CACHE, type Contender, emptied, type Measured, program, shell, sideBySide } from './measure.ts';

/** One block of the table. */
export interface Section {
  readonly title: string;
  readonly measured: readonly Measured[];
  /** Facts that a target is about. */
  readonly targets: readonly { readonly target: string; readonly actual: string; readonly met: boolean }[];
}

const WORK = `${CACHE}/work`;
const GNU_TAR = 'cp -a + tar -czf';
const MIB = 1024 * 1024;

/** What the original does: a copy of the app, then one thread of gzip. */
function peers(app: string, out: string): Contender[] {
  const copy = `${WORK}/copy`;
  const prepare = (): void => void emptied(copy);
  return [
    {
      name: GNU_TAR,
      prepare,
      run: () => shell(`cp -a ${app} ${copy}/app && tar -czf ${out}.gz -C ${copy} .`, `${out}.gz`),
    },
    {
      name: 'tar | pigz',
      prepare,
      run: () => shell(`tar -cf - -C ${app} . | pigz > ${out}.pigz`, `${out}.pigz`),
    },
    {
      name: 'tar | zstd',
      prepare,
      run: () => shell(`tar -cf - -C ${app} . | zstd -q -T0 -3 > ${out}.zst`, `${out}.zst`),
    },
  ];
}

function packing(
  name: string,
  app: string,
  options: { compression?: string; memberCache?: string } = {},
): Contender {
  const store = `${WORK}/store`;
  return {
    name,
    prepare: () => void emptied(store),
    run: () => program({ kind: 'pack', app, store, compression: options.compression ?? 'gzip', ...options }),
  };
}

/** First staging, staging again after a change, and restoring, of the Node app. */
export function nodeAppSections(runs: number): Section[] {
  const app = nodeApp();
  const tarball = `${WORK}/droplet.tar`;
  emptied(WORK);
  const memberCache = `${WORK}/members`;
  const first = packing('stager, first staging', app, { memberCache });
  const cold: Contender = {
    ...first,
    prepare: () => {
      first.prepare?.();
      emptied(memberCache);
    },
  };
  const others = [
    packing('stager, no member cache', app),
    packing('stager zstd', app, { compression: 'zstd' }),
  ];
  let edits = 0;
  const again = packing('stager, one file changed', app, { memberCache });
  const restage: Contender = {
    ...again,
    prepare: () => {
      again.prepare?.();
      edits += 1;
      writeFileSync(`${app}/src/module-50.js`, `${source(50)}// edit ${edits}\n`);
    },
  };
  const reinstalled: Contender = {
    ...packing('stager, dependencies installed again', app, { memberCache }),
    prepare: () => {
      again.prepare?.();
      // What npm ci does to files that it installs once more.
      shell(`find ${app}/node_modules -type f -exec touch {} +`);
    },
  };
  const measured = sideBySide([...peers(app, tarball), cold, restage, reinstalled, ...others], runs);
  writeFileSync(`${app}/src/module-50.js`, source(50));
  const [peer] = measured;
  const ours = named(measured, cold.name);
  const changed = named(measured, restage.name);
  const larger = (ours.bytes ?? 0) / (peer?.bytes ?? 1) - 1;
  return [
    {
      title: 'Packing the Node app (582 MB, 42,500 files), walk to stored droplet',
      measured,
      targets: [
        ratio('first staging: at most 1/4 of cp -a + tar -czf', ours, peer, 1 / 4),
        { target: 'droplet: at most 6 % larger than tar -czf', actual: percent(larger), met: larger <= 0.06 },
        ratio('one file changed: at most 1/10 of cp -a + tar -czf', changed, peer, 1 / 10),
        memory(measured),
      ],
    },
    restoring(tarball, runs),
    unchangedCache(app, runs),
  ];
}

function restoring(tarball: string, runs: number): Section {
  const dest = `${WORK}/restored`;
  const store = emptied(`${WORK}/store`);
  const own = `${WORK}/own.tgz`;
  program({ kind: 'pack', app: nodeApp(), store, compression: 'gzip' });
  shell(`cp "$(find ${store} -type f -size +1M | head -1)" ${own}`);
  const prepare = (): void => void emptied(dest);
  const measured = sideBySide(
    [
      { name: 'tar -xzf of its droplet', prepare, run: () => shell(`tar -xzf ${tarball}.gz -C ${dest}`) },
      { name: 'tar -xzf of our droplet', prepare, run: () => shell(`tar -xzf ${own} -C ${dest}`) },
      { name: 'stager, our droplet', prepare, run: () => program({ kind: 'unpack', file: own, dest }) },
      {
        name: 'stager, droplet of tar',
        prepare,
        run: () => program({ kind: 'unpack', file: `${tarball}.gz`, dest }),
      },
    ],
    runs,
    // What creating files costs depends on what ran before.
    { changePlaces: true },
  );
  const [tar] = measured;
  rmSync(dest, { recursive: true, force: true });
  return {
    title: 'Restoring that droplet into an empty directory',
    measured,
    targets: [
      ratio('our droplet: no longer than tar -xzf', named(measured, 'stager, our droplet'), tar, 1),
      ratio('a droplet of tar: no longer than tar -xzf', named(measured, 'stager, droplet of tar'), tar, 1),
      memory(measured),
    ],
  };
}

function unchangedCache(app: string, runs: number): Section {
  const store = emptied(`${WORK}/cache-store`);
  const out = `${WORK}/cache.tgz`;
  const dir = `${app}/node_modules`;
  program({ kind: 'save-cache', dir, store });
  const measured = sideBySide(
    [
      { name: 'tar -czf', run: () => shell(`tar -czf ${out} -C ${dir} .`, out) },
      { name: 'stager, unchanged', run: () => program({ kind: 'save-cache', dir, store }) },
    ],
    runs,
  );
  return {
    title: 'Saving a build cache that did not change (its node_modules)',
    measured,
    targets: [memory(measured)],
  };
}

/** Many tiny files, one mixed file, and memory with a file of 4 GiB. */
export function otherSections(runs: number): Section[] {
  emptied(WORK);
  const sections = [
    ['200,000 tiny files', tinyFiles()],
    ['one 2 GiB file of mixed content', mixedFile()],
  ].map(([title = '', app = '']): Section => {
    const memberCache = `${WORK}/members-${title.length}`;
    const measured = sideBySide(
      [
        ...peers(app, `${WORK}/x.tar`),
        packing('stager', app),
        packing('stager, member cache', app, { memberCache }),
      ],
      runs,
    );
    const [peer] = measured;
    return {
      title: `Packing ${title}`,
      measured,
      targets: [
        ratio('at most 1/4 of cp -a + tar -czf', named(measured, 'stager'), peer, 1 / 4),
        memory(measured),
      ],
    };
  });
  const sparse = sideBySide([packing('stager', sparseFile())], 1);
  return [
    ...sections,
    { title: 'Memory with one file of 4 GiB', measured: sparse, targets: [memory(sparse)] },
  ];
}

/** Time and size of the levels, for choosing the default. */
export function levelSections(runs: number): Section[] {
  emptied(WORK);
  const app = nodeApp();
  const levels = ['gzip:1', 'gzip:3', 'gzip:4', 'gzip:5', 'gzip:6', 'zstd:1', 'zstd:3', 'zstd:6', 'none'];
  const measured = sideBySide(
    [
      ...peers(app, `${WORK}/x.tar`),
      ...levels.map((compression) => packing(compression, app, { compression })),
    ],
    runs,
  );
  return [{ title: 'Levels, packing the Node app', measured, targets: [] }];
}

function named(measured: readonly Measured[], name: string): Measured {
  const found = measured.find((row) => row.name === name);
  if (found === undefined) throw new Error(`nothing was measured as ${name}`);
  return found;
}

function ratio(
  target: string,
  ours: Measured,
  peer: Measured | undefined,
  limit: number,
): Section['targets'][number] {
  const actual = ours.medianMs / (peer?.medianMs ?? Number.NaN);
  return { target, actual: `${actual.toFixed(3)} (limit ${limit})`, met: actual <= limit };
}

function memory(measured: readonly Measured[]): Section['targets'][number] {
  const most = Math.max(...measured.map((row) => row.rssBytes ?? 0)) / MIB;
  return { target: 'resident memory under 250 MiB', actual: `${Math.round(most)} MiB`, met: most < 250 };
}

function percent(fraction: number): string {
  return `${fraction >= 0 ? '+' : ''}${(fraction * 100).toFixed(1)} %`;
}
