/** The YAML of a request → apps, or every sentence that is wrong with it, as Cloud Controller words them. */
import { z } from 'zod';
import { parseHostileYaml } from '../../machine/host/hostile-yaml.ts';
import { AppManifest } from './app-manifest.ts';

/** What was read: the apps as they were written, and as they are meant. */
export interface ManifestRequest {
  readonly apps: readonly { readonly raw: Readonly<Record<string, unknown>>; readonly app: AppManifest }[];
}

export type ManifestReading =
  | { readonly ok: true; readonly manifest: ManifestRequest }
  | { readonly ok: false; readonly kind: 'yaml' | 'shape'; readonly problems: readonly string[] };

const Top = z.looseObject({
  applications: z.array(z.record(z.string(), z.unknown())).min(1),
  version: z.literal(1).nullish(),
});

/** Cloud Controller takes no aliases. */
export function readManifestRequest(text: string): ManifestReading {
  const yaml = parseHostileYaml(text, { scalars: 'cf', maxAliases: 0 });
  if (!yaml.ok)
    return { ok: false, kind: 'yaml', problems: [`Request invalid due to parse error: ${yaml.reason}`] };
  const top = Top.safeParse(plain(yaml.value));
  if (!top.success) {
    return { ok: false, kind: 'shape', problems: ["Cannot parse manifest with no 'applications' field."] };
  }
  const problems: string[] = [];
  const apps = top.data.applications.flatMap((raw, index) => {
    const parsed = AppManifest.safeParse(raw);
    if (parsed.success) return [{ raw, app: parsed.data }];
    const name = raw['name'];
    const who =
      typeof name === 'string' && name !== ''
        ? `For application '${name}'`
        : `For application at index ${index}`;
    problems.push(...parsed.error.issues.map((issue) => `${who}: ${sentence(issue)}`));
    return [];
  });
  const names = apps.map(({ app }) => app.name);
  const twin = names.find((name, index) => names.indexOf(name) !== index);
  if (twin !== undefined) problems.push(`Manifest has two applications called '${twin}'`);
  return problems.length === 0 ? { ok: true, manifest: { apps } } : { ok: false, kind: 'shape', problems };
}

/** Whole numbers as JSON has them; those that it would round keep their digits as text. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}

/** Messages of the schema are sentences, but those of the library, which are for programmers. */
function sentence(issue: z.core.$ZodIssue): string {
  if (/^[A-Z]/.test(issue.message) && !/^(Invalid|Too|Expected|Unrecognized)/.test(issue.message))
    return issue.message;
  if (issue.path.length === 1 && issue.path[0] === 'name') return 'Name must not be empty';
  const [key = 'manifest'] = issue.path
    .map(String)
    .filter((part) => !/^\d+$/.test(part))
    .slice(-1);
  const words = key.replaceAll('-', ' ');
  return `${words.charAt(0).toUpperCase()}${words.slice(1)} is invalid`;
}
