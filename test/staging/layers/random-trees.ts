/**
 * Random trees, and random changes of them as people and scripts make them. All follows from the numbers that it is given
 * and from the tree that is there, so the same is done to two trees that are equal.
 */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** Numbers in [0, 1). */
type Random = () => number;

const NAMES = [
  ...['a', 'a-b', 'a.b', 'b', 'c', 'index.js', 'node_modules', 'lib', 'Lib', 'README.md', 'x'],
  ...[
    'with space',
    'new\nline',
    'back\\slash',
    'co:lon',
    'com,ma',
    'quo\'te"',
    '-rf',
    '*',
    '$HOME',
    '#',
    '~',
  ],
  ...[
    'ümlaut €',
    'ü',
    '日本語',
    '\u{1f600}',
    '\u{e000}',
    '\u{fffd}',
    '\u{10ffff}',
    'caf\u00e9',
    'cafe\u0301',
  ],
  ...['n'.repeat(255), `${'é'.repeat(100)}.txt`, '\u0001', '\u007f', '.wh.whiteout', '.hidden'],
];
const FILE_MODES = [0o644, 0o644, 0o755, 0o600, 0o444, 0o400, 0o000, 0o777, 0o111, 0o4755, 0o2755];
const DIRECTORY_MODES = [0o755, 0o755, 0o700, 0o777, 0o1777, 0o555, 0o000, 0o2755];
/** Seconds. */
const TIMES = [0, 1, 1.5, 315_532_800, 1_577_934_245, 1_577_934_245.999, 1_764_000_000.25, 2 ** 31, 2 ** 33];
const SIZES = [0, 1, 5, 511, 512, 513, 4_096, 5_000, 70_000];
/** With these a file is packed, copied and cut into members in other ways. */
const LARGE_SIZES = [262_144, 262_145, 600_000, 2_500_001];
/** What a package may hold wherever it is, and what scripts make as well. */
const TARGETS = ['a', './c/index.js', 'nowhere', 't'.repeat(150), 'ü'];
/** Of all trees those whose entries get extended attributes. */
const SOME_ATTRIBUTES = 0.1;
/** A package with longer ones is copied. */
const LONG_DIRECTORY = 200;
const FREE_TARGETS = [...TARGETS, '../b', '/tmp/app/a', '/etc/passwd', '..', '/tmp/cache/lib'];

/** One tree at `root`; changes are to what is below `places`, never to those themselves. */
export class RandomTree {
  readonly #random: Random;
  readonly #root: string;
  readonly #places: readonly string[];
  readonly #script: boolean;
  #written = 0;

  constructor(
    random: Random,
    {
      root,
      places,
      script,
    }: { readonly root: string; readonly places: readonly string[]; readonly script: boolean },
  ) {
    this.#random = random;
    this.#root = root;
    this.#places = places;
    this.#script = script;
  }

  /** Makes entries where there are none yet. */
  grow(count: number): void {
    for (let made = 0; made < count; made += 1) this.#make(this.#free());
  }

  /** Does so many of the things that may be done to a tree. @returns what was done, for people. */
  change(count: number): string {
    const attributes = this.#random() < SOME_ATTRIBUTES ? this.#setAttributes() : '';
    return attributes + Array.from({ length: count }, () => this.#one()).join('\n');
  }

  /** No program that every machine has sets them, Node neither. */
  #setAttributes(): string {
    const paths = [...this.#below()].filter(({ kind }) => kind !== 'symlink' && this.#random() < 0.2);
    const set = 'import os, sys\nfor path in sys.argv[1:]: os.setxattr(path, "user.test", b"1")';
    execFileSync('python3', ['-c', set, ...paths.map(({ path }) => path)], { stdio: 'pipe' });
    return `attributes of ${paths.length}\n`;
  }

  #one(): string {
    const [from, to] = [this.#any(), this.#free()];
    const kind = from === undefined ? undefined : kindOf(from);
    if (from === undefined || kind === undefined) return this.#make(to);
    const told = (what: string, ...paths: string[]): string =>
      `${what} ${paths.map((path) => JSON.stringify(path.slice(this.#root.length))).join(' ')}`;
    const isInside = dirname(to) === from || to.startsWith(`${from}/`);
    const ways: (() => string | undefined)[] = [
      () => this.#make(to),
      () => {
        rmSync(from, { recursive: true });
        return told('remove', from);
      },
      () => {
        if (isInside) return undefined;
        renameSync(from, to);
        return told('rename', from, to);
      },
      () => {
        const other = this.#any();
        if (other === undefined || other.startsWith(from) || from.startsWith(other)) return undefined;
        const aside = join(this.#root, 'aside');
        renameSync(from, aside);
        renameSync(other, from);
        renameSync(aside, other);
        return told('swap', from, other);
      },
      () => {
        const aside = join(this.#root, 'aside');
        renameSync(from, aside);
        renameSync(aside, from);
        return told('rename away and back', from);
      },
      () => {
        const names = kind === 'directory' ? readdirSync(from) : [];
        rmSync(from, { recursive: true });
        if (this.#random() < 0.7) mkdirSync(from);
        else return `${told('replace', from)}: ${this.#make(from)}`;
        for (const name of names) if (this.#random() < 0.4) this.#make(join(from, name));
        return told('make anew', from);
      },
      () => {
        if (kind === 'symlink') return undefined;
        chmodSync(from, this.#pick(kind === 'file' ? FILE_MODES : DIRECTORY_MODES));
        return told('chmod', from);
      },
      () => {
        this.#settle(from);
        return told('touch', from);
      },
      () => {
        if (kind !== 'file') return undefined;
        linkSync(from, to);
        return told('link', from, to);
      },
      () => {
        if (kind !== 'file') return undefined;
        const content = this.#content();
        this.#pick([
          () => appendFileSync(from, content),
          () => truncateSync(from, this.#pick(SIZES)),
          () => writeFileSync(from, content),
        ])();
        this.#settle(from);
        return told('write to', from);
      },
      () => {
        if (kind === 'directory') return undefined;
        const made = this.#make(join(this.#root, 'aside'));
        if (kindOf(join(this.#root, 'aside')) === 'directory') {
          rmSync(join(this.#root, 'aside'), { recursive: true });
          return undefined;
        }
        renameSync(join(this.#root, 'aside'), from);
        return `${told('rename over', from)}: ${made}`;
      },
    ];
    return this.#pick(ways)() ?? this.#one();
  }

  #make(path: string): string {
    const isLong = !this.#script && Buffer.byteLength(path) - this.#root.length > LONG_DIRECTORY;
    const chance = this.#random() * (isLong ? 0.65 : 1);
    if (chance < 0.65) {
      writeFileSync(path, this.#content());
      chmodSync(path, this.#pick(FILE_MODES));
      this.#settle(path);
    } else if (chance < 0.85) {
      mkdirSync(path);
      chmodSync(path, this.#pick(DIRECTORY_MODES));
    } else symlinkSync(this.#pick(this.#script ? FREE_TARGETS : TARGETS), path);
    return `make a ${kindOf(path)} ${JSON.stringify(path.slice(this.#root.length))}`;
  }

  /** A file that is written to has the time of the test, which is that of no other run. */
  #settle(path: string): void {
    const time = this.#pick(TIMES);
    if (kindOf(path) === 'symlink') lutimesSync(path, time, time);
    else utimesSync(path, time, time);
  }

  #content(): Buffer {
    const size = this.#random() < 0.02 ? this.#pick(LARGE_SIZES) : this.#pick(SIZES);
    this.#written += 1;
    // Equal contents are kept once, and contents of one size tell which is which.
    return Buffer.alloc(size, this.#random() < 0.2 ? 'same' : `${this.#written} ${this.#random()} `);
  }

  #any(): string | undefined {
    const all = [...this.#below()];
    return all.length === 0 ? undefined : this.#pick(all).path;
  }

  /** A path at which nothing is. */
  #free(): string {
    const places = this.#places.map((place) => join(this.#root, place));
    const directories = [...this.#below()].flatMap(({ path, kind }) => (kind === 'directory' ? [path] : []));
    for (;;) {
      const path = join(this.#pick([...places, ...directories]), this.#pick(NAMES));
      // A path has to fit into what system calls take, below any place.
      if (kindOf(path) === undefined && Buffer.byteLength(path) < 3_000) return path;
    }
  }

  *#below(): Generator<{ readonly path: string; readonly kind: string | undefined }> {
    const ahead = this.#places.map((place) => join(this.#root, place));
    for (let next = ahead.shift(); next !== undefined; next = ahead.shift())
      for (const name of readdirSync(next).sort()) {
        const path = join(next, name);
        const kind = kindOf(path);
        if (kind === 'directory') ahead.push(path);
        yield { path, kind };
      }
  }

  #pick<T>(from: readonly T[]): T {
    const found = from[Math.floor(this.#random() * from.length)];
    if (found === undefined) throw new Error('nothing to pick from');
    return found;
  }
}

function kindOf(path: string): 'file' | 'directory' | 'symlink' | undefined {
  const facts = lstatSync(path, { throwIfNoEntry: false });
  if (facts === undefined) return undefined;
  return facts.isDirectory() ? 'directory' : facts.isSymbolicLink() ? 'symlink' : 'file';
}
