/** The inputs, made once, the same on every machine, kept under .cache/bench. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { relative } from 'node:path';
import { CACHE, ROOT } from './measure.ts';

/** A Node app of about 580 MB in 42,000 files: bench/node-app, installed by its lock file, no scripts run. */
export function nodeApp(): string {
  const lock = `${ROOT}bench/node-app/package-lock.json`;
  return once(`node-app-${digest(readFileSync(lock))}`, (dir) => {
    for (const name of ['package.json', 'package-lock.json'])
      copyFileSync(`${ROOT}bench/node-app/${name}`, `${dir}/${name}`);
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--legacy-peer-deps', '--loglevel=error'];
    execFileSync('npm', ['ci', ...flags], { cwd: dir, stdio: 'inherit' });
    mkdirSync(`${dir}/src`);
    for (let i = 0; i < 100; i++) writeFileSync(`${dir}/src/module-${i}.js`, source(i));
  });
}

/** 200,000 files of 0 to 400 bytes in 2,000 directories. */
export function tinyFiles(): string {
  return once('tiny-files-1', (dir) => {
    for (let d = 0; d < 2000; d++) {
      const sub = `${dir}/${String(d % 50).padStart(2, '0')}/d${d}`;
      mkdirSync(sub, { recursive: true });
      for (let f = 0; f < 100; f++)
        writeFileSync(`${sub}/f${f}.txt`, source(d * 100 + f).slice(0, (d * 31 + f * 7) % 400));
    }
  });
}

/** One file of 2 GiB: text that compresses well, noise that doesn't, and zeros, in turn. */
export function mixedFile(): string {
  return once('mixed-file-1', (dir) => {
    const fd = openSync(`${dir}/mixed.bin`, 'w');
    const MIB = 1024 * 1024;
    for (let i = 0; i < 2048; i++) {
      if (i % 4 === 3) writeSync(fd, Buffer.alloc(MIB));
      else
        writeSync(
          fd,
          i % 4 === 2
            ? noise(MIB, i)
            : Buffer.from(source(i).repeat(1 + MIB / source(i).length)).subarray(0, MIB),
        );
    }
    closeSync(fd);
  });
}

/** One file of 4 GiB that takes no space on disk: for memory, not for speed. */
export function sparseFile(): string {
  return once('sparse-file-1', (dir) => {
    writeFileSync(`${dir}/sparse.bin`, '');
    truncateSync(`${dir}/sparse.bin`, 4 * 1024 ** 3);
  });
}

/** A little module of its own, different for every `seed`. */
export function source(seed: number): string {
  const lines = Array.from({ length: 40 }, (_, i) => {
    const word = digest(`${seed}-${i}`).slice(0, 12);
    return `export function f_${word}(input) {\n  return input.filter((value) => value.id !== '${word}').length;\n}\n`;
  });
  return lines.join('\n');
}

/** Bytes without any pattern, the same for the same seed. */
function noise(length: number, seed: number): Buffer {
  const chunks: Buffer[] = [];
  for (let i = 0; i < length; i += 64) chunks.push(createHash('sha512').update(`${seed}-${i}`).digest());
  return Buffer.concat(chunks).subarray(0, length);
}

function digest(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 16);
}

/** Makes a directory aside and renames it, so that a half-made input is never measured. */
function once(name: string, make: (dir: string) => void): string {
  const dir = `${CACHE}/${name}`;
  if (existsSync(dir)) return dir;
  console.error(`making ${name} …`);
  const aside = `${dir}.part`;
  rmSync(aside, { recursive: true, force: true });
  mkdirSync(aside, { recursive: true });
  make(aside);
  renameSync(aside, dir);
  return dir;
}

/** Larger files of packages are programs for one machine. */
const LARGEST = 120_000;

/** A Node app of so many files: the packages that stager is developed with, in one directory after another. */
export function packagesApp(files: number): string {
  return once(`packages-app-${files}`, (dir) => {
    const root = `${ROOT}node_modules`;
    const all = globSync('**/*', { cwd: root, withFileTypes: true }).filter((entry) => entry.isFile());
    writeFileSync(`${dir}/server.js`, source(0));
    for (let made = 1, copy = 1; made < files; copy += 1) {
      for (const entry of all) {
        if (made >= files) break;
        const content = readFileSync(`${entry.parentPath}/${entry.name}`);
        // No file is in it twice, or it would be sent once.
        if (content.length > LARGEST) continue;
        const to = `${dir}/service-${copy}/${relative(root, entry.parentPath)}`;
        mkdirSync(to, { recursive: true });
        writeFileSync(`${to}/${entry.name}`, Buffer.concat([content, Buffer.from(`\n// ${copy}\n`)]));
        made += 1;
      }
    }
  });
}
