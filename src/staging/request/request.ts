/**
 * What a staging is asked for, in one plain shape: the command line, the library and manifest.yml all end here.
 */

import { readFile, realpath } from 'node:fs/promises';
import { basename } from 'node:path';
import { decodeText } from '../../machine/host/decode-text.ts';
import type { WantedNetwork } from '../../machine/sandbox/port/network.ts';
import { sha256OfBytes } from '../../words/digest.ts';
import { errnoOf, StagerError } from '../../words/errors.ts';
import { type Guid, parseGuid } from '../../words/ids.ts';
import type { StagingRecord } from '../../words/staging-record.ts';
import type { Compression } from '../droplet/pack/compression.ts';
import type { ApplicationFacts } from '../vcap/application.ts';
import { parseServices, type Services } from '../vcap/services.ts';
import { parseEnvFile } from './env-file.ts';

/** An app: its guid keys the build cache, its name is what the app sees. */
export interface AppIdentity {
  readonly guid: Guid;
  readonly name: string;
}

/** An app with what a foundation knows of its place. */
export type PlacedApp = AppIdentity &
  Partial<Pick<ApplicationFacts, 'uris' | 'cfApi' | 'space' | 'organization'>>;

/** Sizes in MiB, times in milliseconds. */
export interface StageRequest {
  readonly source:
    | { readonly kind: 'path'; readonly path: string }
    | { readonly kind: 'package'; readonly guid: Guid };
  readonly app: PlacedApp;
  /** References in order; none: detect over the installed ones. */
  readonly buildpacks: readonly string[];
  readonly buildpackApi?: 'cf' | 'heroku';
  /** Builder image of Cloud Native Buildpacks; without references its order is tried. */
  readonly builder?: string;
  /** Git repository or directory with the index of the Buildpack Registry; absent: the public one. */
  readonly cnbRegistry?: string;
  readonly stack: string;
  /** What scripts see as CF_STACK; absent: {@link cfStackOf} the stack. */
  readonly cfStack?: string;
  readonly env: Readonly<Record<string, string>>;
  readonly services: Services;
  readonly memoryMb: number;
  readonly diskMb: number;
  readonly timeoutMs: number;
  readonly network: WantedNetwork;
  /** `clear` starts from an empty cache and saves the new one; `none` does neither. */
  readonly cache: 'use' | 'clear' | 'none';
  readonly compression?: Compression;
  /** Set the times of files in the droplet to this, in seconds since the epoch. */
  readonly sourceDateEpoch?: number;
  /** A directory with all that a staging fetched: written after it, or used instead of a network. */
  readonly bundle?: { readonly mode: 'record' | 'offline'; readonly dir: string };
  /** Return the droplet of an earlier staging with the same inputs. */
  readonly reuse: boolean;
  readonly keep: 'never' | 'failed' | 'always';
  readonly ignoreStyle: 'cf' | 'git';
  /** Also write the droplet here. */
  readonly output?: string;
  /** stager.lock: write it, or hold buildpacks to it. `app`: under this name, for one of several apps. */
  readonly lock?: { readonly path: string; readonly app?: string; readonly mode: 'write' | 'frozen' };
  /** Sentences about the request itself, reported as warnings. */
  readonly notes?: readonly string[];
  /** Start the web process for its health check before the build counts as staged. */
  readonly smoke?: boolean;
  /** Trace shell buildpacks. */
  readonly trace: boolean;
  /** What a manifest says about running: wins over the droplet's own commands. */
  readonly launch?: NonNullable<StagingRecord['launch']>;
}

/** The least with which anything can run; below 4 MiB an OCI runtime fails in words of its own. */
const LEAST = { memoryMb: 4, diskMb: 1, timeoutMs: 1 } as const;

/** @throws StagerError CONFIG_INVALID for a limit with which nothing can run, or one computed from nothing. */
export function checkLimits(limits: Readonly<Partial<Record<keyof typeof LEAST, number | undefined>>>): void {
  for (const name of ['memoryMb', 'diskMb', 'timeoutMs'] as const) {
    const [value, least] = [limits[name], LEAST[name]];
    if (value === undefined || (Number.isSafeInteger(value) && value >= least)) continue;
    throw new StagerError('CONFIG_INVALID', `${name} is ${value}`, {
      next: `Give a whole number of at least ${least}, or leave it out.`,
      details: { option: name, value, least },
    });
  }
}

/**
 * What follows from a bundle: recording begins with an empty cache, since what was fetched before would be missing, and
 * a staging from a bundle has no network and takes the bundle for its cache.
 */
export function bundleWishes(
  bundle: StageRequest['bundle'],
): Partial<Pick<StageRequest, 'bundle' | 'cache' | 'network' | 'reuse'>> {
  if (bundle === undefined) return {};
  if (bundle.mode === 'record') return { bundle, cache: 'clear', reuse: false };
  return { bundle, cache: 'none', network: 'none' };
}

/**
 * CF_STACK for a stack. Buildpacks made for Cloud Foundry refuse names that they don't know, so on the machine itself
 * they are told its current one.
 */
export function cfStackOf(stack: string): string {
  return stack === 'host' ? 'cflinuxfs4' : stack;
}

/**
 * The identity of an app. A given name *is* the identity, so that a CI job that checks out to another directory
 * each time finds its build cache; without one the path is.
 */
export async function appIdentity(source: string, name: string | undefined): Promise<AppIdentity> {
  if (name !== undefined) return { name, guid: guidOf(`name:${name}`) };
  const path = await realpath(source).catch(() => source);
  const bare = basename(path).replace(/\.(zip|jar|war|tar|tgz|tar\.gz)$/i, '');
  return { name: bare === '' ? 'app' : bare, guid: guidOf(`path:${path}`) };
}

/** A guid that follows from `seed` (UUID version 8: custom). */
function guidOf(seed: string): Guid {
  const hex = sha256OfBytes(seed);
  const text = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ];
  const guid = parseGuid(text.join('-'));
  if (guid === undefined) throw new Error('a digest made no guid');
  return guid;
}

/**
 * Variables from `K=V` texts over those of an env file.
 *
 * @throws StagerError CONFIG_INVALID for a text that is not NAME=VALUE, or a file that can't be read.
 */
export async function readEnv(
  pairs: readonly string[],
  file: string | undefined,
): Promise<Record<string, string>> {
  const fromFile = file === undefined ? {} : parseEnvFile(await readInput(file, 'env file'), file);
  const given = pairs.map((pair): [string, string] => {
    const [, name, value] = /^([^=\s]+)=(.*)$/s.exec(pair) ?? [];
    if (name !== undefined && value !== undefined) return [name, value];
    throw new StagerError('CONFIG_INVALID', notVariable(pair), { next: 'Write --env NAME=VALUE.' });
  });
  return { ...fromFile, ...Object.fromEntries(given) };
}

/** Never with the value, which may be a secret. */
function notVariable(pair: string): string {
  const [name = ''] = pair.split('=', 1);
  if (name === '' && pair !== '') return `the variable with the value behind "=" has no name`;
  return `${JSON.stringify(name)} is not a variable: ${pair.includes('=') ? 'its name has a space' : 'it has no ='}`;
}

/** The VCAP_SERVICES document in `file`, or none. */
export async function readServices(file: string | undefined): Promise<Services> {
  return file === undefined ? {} : parseServices(await readInput(file, 'services file'), file);
}

/** Reads a small text file that a person named. */
export async function readInput(file: string, what: string): Promise<string> {
  try {
    return decodeText(await readFile(file));
  } catch (cause) {
    throw new StagerError(
      'CONFIG_INVALID',
      `can't read ${what} ${file} (${errnoOf(cause) ?? 'unknown error'})`,
      {
        next: 'Name a file that exists and can be read.',
        details: { file },
        cause,
      },
    );
  }
}
