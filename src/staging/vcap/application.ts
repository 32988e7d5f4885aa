/** VCAP_APPLICATION while staging and while running (staging-internals.md 4.3). */
import { z } from 'zod';
import { parseJson } from '../../words/json.ts';

/** What both documents say of the app. Memory and disk in MB. */
export interface ApplicationFacts {
  readonly guid: string;
  readonly name: string;
  readonly limits: { readonly memoryMb: number; readonly diskMb: number; readonly fds: number };
  /** Routes, without scheme. */
  readonly uris?: readonly string[];
  /** Base URL of the API. */
  readonly cfApi?: string;
  readonly space?: { readonly guid: string; readonly name: string };
  readonly organization?: { readonly guid: string; readonly name: string };
}

/** Stands where an app has no space, organization or API, so that readers of these fields find the right type. */
const NOWHERE = { guid: '00000000-0000-0000-0000-000000000000', name: 'stager' } as const;
const NO_API = 'https://api.stager.invalid';

/** `instance_file_descriptor_limit` of Cloud Controller. */
export const DEFAULT_FDS = 16_384;

/**
 * VCAP_APPLICATION for buildpack scripts.
 *
 * @param version Cloud Foundry takes a fresh UUID for every build; pass one that follows from the input where
 * droplets have to be reproducible.
 */
export function stagingApplication(facts: ApplicationFacts, version: string): string {
  return encodeSorted({ ...common(facts), application_version: version, version, users: null });
}

/** The process that a running VCAP_APPLICATION describes. */
export interface ProcessFacts {
  readonly guid: string;
  readonly type: string;
  readonly version: string;
}

/** VCAP_APPLICATION of a process, before {@link withInstance} adds what the launcher knows. */
export function runningApplication(facts: ApplicationFacts, process: ProcessFacts): string {
  return encodeSorted({
    ...common(facts),
    application_version: process.version,
    version: process.version,
    process_id: process.guid,
    process_type: process.type,
  });
}

function common(facts: ApplicationFacts): Record<string, unknown> {
  const uris = facts.uris ?? [];
  const space = facts.space ?? NOWHERE;
  const organization = facts.organization ?? NOWHERE;
  return {
    cf_api: facts.cfApi ?? NO_API,
    limits: { fds: facts.limits.fds, mem: facts.limits.memoryMb, disk: facts.limits.diskMb },
    application_id: facts.guid,
    application_name: facts.name,
    name: facts.name,
    application_uris: uris,
    uris,
    space_id: space.guid,
    space_name: space.name,
    organization_id: organization.guid,
    organization_name: organization.name,
  };
}

const objectSchema = z.record(z.string(), z.unknown());

/**
 * What the launcher does to VCAP_APPLICATION: adds host, instance_id, port and instance_index from the
 * variables of the environment, where they are there and whole numbers. A text that is not a JSON object is
 * returned as it is.
 */
export function withInstance(text: string, env: Readonly<Record<string, string | undefined>>): string {
  const parsed = objectSchema.safeParse(parseJson(text)).data;
  if (parsed === undefined) return text;
  const port = wholeNumber(env['PORT']);
  const index = wholeNumber(env['INSTANCE_INDEX']);
  return encodeSorted({
    ...parsed,
    host: '0.0.0.0',
    instance_id: env['INSTANCE_GUID'] ?? '',
    ...(port === undefined ? {} : { port }),
    ...(index === undefined ? {} : { instance_index: index }),
  });
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^[+-]?\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Characters that Go's encoder, which writes this document on a cell, escapes beyond JSON's own rules. */
const GO_ESCAPES = /[<>&\u2028\u2029]/g;

/** JSON with sorted keys, the bytes that the original launcher writes; also what makes it reproducible. */
export function encodeSorted(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => encodeSorted(item)).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      .map(([key, field]) => `${encodeSorted(key)}:${encodeSorted(field)}`);
    return `{${fields.join(',')}}`;
  }
  return (JSON.stringify(value) ?? 'null').replace(
    GO_ESCAPES,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
