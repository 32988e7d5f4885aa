/** Which Java: what says so, and the range that it means. */
import { join } from 'node:path';
import {
  BuildpackFailure,
  type Dependency,
  type Env,
  highestMatch,
  readText,
  type StepContext,
  versionsOf,
} from '../../kit/index.ts';
import type { Container } from './container.ts';
import { unpackedManifest } from './jar.ts';
import { javaOfPom } from './pom.ts';
import { readJavaSettings } from './settings.ts';

/** A wish and where it comes from; without a range, the default. */
export interface JavaWish {
  readonly source: string;
  /** `21.x`, `21.0.8`. */
  readonly range?: string;
  /** Any line from here on does: code for 11 runs on 17. */
  readonly atLeast?: number;
}

/** First that says something wins. */
export async function javaWish(dir: string, container: Container, env: Env): Promise<JavaWish> {
  const asked: [string, string | undefined][] = [
    ['BP_JAVA_VERSION', env['BP_JAVA_VERSION']],
    ['BP_JVM_VERSION', env['BP_JVM_VERSION']],
    ['JBP_CONFIG_OPEN_JDK_JRE', readJavaSettings(env).JBP_CONFIG_OPEN_JDK_JRE.jre?.version],
    ['system.properties', property(await readText(dir, 'system.properties'), 'java.runtime.version')],
    ['.java-version', firstLine(await readText(dir, '.java-version'))],
    ['.sdkmanrc', property(await readText(dir, '.sdkmanrc'), 'java')],
  ];
  for (const [source, text] of asked) {
    if (text !== undefined && text.trim() !== '') return { source, range: rangeOf(text.trim(), source) };
  }
  if (container.kind === 'maven') {
    const pom = await javaOfPom(dir, container.pom);
    if (pom !== undefined) return { source: `${pom.property} of ${container.pom}`, atLeast: pom.java };
  }
  const spec = lineOf(
    container.manifest?.['Build-Jdk-Spec'] ?? (await unpackedManifest(dir))?.['Build-Jdk-Spec'],
  );
  const classes = container.needsJava;
  if (spec !== undefined && spec >= (classes ?? 0))
    return { source: "the manifest's Build-Jdk-Spec", atLeast: spec };
  if (classes !== undefined) return { source: `the class files of ${container.what}`, atLeast: classes };
  return { source: 'nothing asks for one: the default' };
}

/** `21`, `21.+`, `17.*`, `21.0.8`, `1.8`, `temurin-21.0.3+9`, `21.0.3-tem`. */
export function rangeOf(text: string, source: string): string {
  const [, version = ''] =
    /^(?:[a-z]+-)?(\d+(?:\.(?:\d+|x|\*|\+))*)(?:\+\d+[.\w-]*)?(?:-[a-z]+)?$/i.exec(text) ?? [];
  if (version === '') {
    throw new BuildpackFailure(`${source} asks for Java "${text.split('\n')[0]}"`, {
      next: 'Use a version such as 21, 21.x or 21.0.8.',
    });
  }
  const numbers = version
    .replace(/^1\.(?=\d)/, '')
    .split('.')
    .slice(0, 3)
    .filter((part) => /^\d+$/.test(part))
    .map(Number);
  return numbers.length === 3 ? numbers.join('.') : `${numbers.join('.')}.x`;
}

function lineOf(text: string | undefined): number | undefined {
  const [, line] = /^(?:1\.)?(\d+)/.exec(text?.trim() ?? '') ?? [];
  return line === undefined ? undefined : Number(line);
}

/** A line of a properties file. */
export function property(text: string | undefined, name: string): string | undefined {
  const line = new RegExp(`^\\s*${name.replaceAll('.', '\\.')}\\s*[=:]\\s*(.*?)\\s*$`, 'm').exec(text ?? '');
  return line?.[1];
}

function firstLine(text: string | undefined): string | undefined {
  return text
    ?.split('\n')
    .map((line) => line.replace(/#.*$/, '').trim())
    .find(Boolean);
}

/** @throws BuildpackFailure with the versions that there are when none fits, or when the app was compiled for a later one. */
export function chooseJava(
  context: Pick<StepContext, 'manifest' | 'env' | 'log' | 'choose'>,
  wish: JavaWish,
  container: Pick<Container, 'needsJava' | 'what'>,
): Dependency {
  const { manifest, env, log } = context;
  const listed = versionsOf(manifest, 'jre', { stack: env['CF_STACK'] ?? '', arch: process.arch });
  const found = context.choose('jre', fitting(wish, listed, log));
  log.info(`Java ${found.version} (${wish.source})`);
  const needs = container.needsJava ?? 0;
  if (majorOf(found.version) < needs) {
    throw new BuildpackFailure(
      `${container.what} was compiled for Java ${needs}, but ${wish.source} asks for Java ${majorOf(found.version)}`,
      { next: `Set BP_JAVA_VERSION=${needs}, or compile it with --release ${majorOf(found.version)}.` },
    );
  }
  return found;
}

function fitting(wish: JavaWish, listed: readonly string[], log: StepContext['log']): string | undefined {
  const lines = [...new Set(listed.map(majorOf))].sort((a, b) => a - b);
  if (wish.atLeast !== undefined) {
    const least = wish.atLeast;
    const line = lines.find((it) => it >= least);
    if (line !== undefined) return `${line}.x`;
    throw new BuildpackFailure(`Java ${least} is not available (${wish.source})`, {
      next: `Available: ${listed.join(', ')}. Compile for one of these (--release ${lines.at(-1)}).`,
    });
  }
  const { range } = wish;
  if (range === undefined || highestMatch(range, listed) !== undefined) return range;
  const line = `${majorOf(range)}.x`;
  if (highestMatch(line, listed) !== undefined) {
    log.warning(`Java ${range} (${wish.source}) is not available; the newest ${majorOf(range)} is used.`);
    return line;
  }
  const next = lines.find((it) => it > majorOf(range));
  const way = next === undefined ? '' : ` Java ${next} runs what was compiled for ${majorOf(range)}.`;
  throw new BuildpackFailure(`${wish.source} asks for Java ${range}, which is not available`, {
    next: `Available: ${listed.join(', ')}.${way}`,
  });
}

const majorOf = (version: string): number => Number.parseInt(version, 10);

/** Of what was installed: the line of its `release` file. */
export async function installedJava(jre: string): Promise<number> {
  const text = (await readText(jre, 'release')) ?? '';
  const [, version = ''] = /^JAVA_VERSION="([^"]+)"/m.exec(text) ?? [];
  if (version === '') throw new BuildpackFailure(`${join(jre, 'release')} does not say which Java it is`);
  return majorOf(version);
}
