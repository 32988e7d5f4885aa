/** The builder's command line (buildpack-contracts.md 1.1). */
import { type FlagSpec, parseFlags } from './go/flags.ts';
import { clean } from './go/path.ts';
import { parseDurationMs, parseInteger } from './go/text.ts';

/** Everything that the flags say; paths are cleaned, not made absolute. */
export interface BuilderConfig {
  readonly buildDir: string;
  readonly outputDroplet: string;
  readonly outputMetadata: string;
  readonly outputBuildArtifactsCache: string;
  readonly buildpacksDir: string;
  readonly buildpacksDownloadDir: string;
  readonly buildArtifactsCacheDir: string;
  readonly buildpackOrder: readonly string[];
  readonly skipDetect: boolean;
  readonly skipCertVerify: boolean;
  readonly credhub: CredhubRetry;
}

/** How often CredHub is asked. */
export interface CredhubRetry {
  readonly attempts: number;
  readonly delayMs: number;
}

/** A configuration, or what to print and the status to end with. */
export type BuilderArguments =
  | { readonly ok: true; readonly config: BuilderConfig }
  | { readonly ok: false; readonly text: string; readonly exit: number };

/** Flags that both programs know. */
export const CREDHUB_FLAGS: readonly FlagSpec[] = [
  {
    name: 'credhubConnectAttempts',
    kind: 'int',
    usage: 'number of times that the credhub client will attempt to connect to credhub',
    fallback: '3',
  },
  {
    name: 'credhubRetryDelay',
    kind: 'duration',
    usage: 'delay duration that the credhub client will wait before retrying the connection to credhub',
    fallback: '1s',
  },
];

const text = (name: string, fallback: string, usage: string): FlagSpec => ({
  name,
  kind: 'string',
  usage,
  fallback,
});

const FLAGS: readonly FlagSpec[] = [
  text('buildDir', '/tmp/app', 'directory containing raw app bits'),
  text('outputDroplet', '/tmp/droplet', 'file where compressed droplet should be written'),
  text('outputMetadata', '/tmp/result.json', 'directory in which to write the app metadata'),
  text(
    'outputBuildArtifactsCache',
    '/tmp/output-cache',
    'file where compressed contents of new cached build artifacts should be written',
  ),
  text('buildpacksDir', '/tmp/buildpacks', 'directory containing the buildpacks to try'),
  text('buildpacksDownloadDir', '/tmp/buildpackdownloads', 'directory to download buildpacks to'),
  text(
    'buildArtifactsCacheDir',
    '/tmp/cache',
    'directory where previous cached build artifacts should be extracted',
  ),
  text('buildpackOrder', '', 'comma-separated list of buildpacks, to be tried in order'),
  { name: 'skipDetect', kind: 'bool', usage: 'skip buildpack detect', fallback: 'false' },
  { name: 'skipCertVerify', kind: 'bool', usage: 'skip SSL certificate verification', fallback: 'false' },
  ...CREDHUB_FLAGS,
];

/** Reads the builder's arguments. An empty value is refused with all others that are, and status 1. */
export function parseBuilderArguments(args: readonly string[]): BuilderArguments {
  const parsed = parseFlags('builder', FLAGS, args);
  if (!parsed.ok) return parsed;
  const missing = [...parsed.values]
    .filter(([, value]) => value === '')
    .map(([name]) => `missing flag: -${name}`)
    .sort();
  if (missing.length > 0) return { ok: false, text: `${missing.join(', ')}\n`, exit: 1 };
  const path = (name: string): string => clean(parsed.values.get(name) ?? '');
  const config: BuilderConfig = {
    buildDir: path('buildDir'),
    outputDroplet: path('outputDroplet'),
    outputMetadata: path('outputMetadata'),
    outputBuildArtifactsCache: path('outputBuildArtifactsCache'),
    buildpacksDir: path('buildpacksDir'),
    buildpacksDownloadDir: path('buildpacksDownloadDir'),
    buildArtifactsCacheDir: path('buildArtifactsCacheDir'),
    buildpackOrder: (parsed.values.get('buildpackOrder') ?? '').split(','),
    skipDetect: parsed.values.get('skipDetect') === 'true',
    skipCertVerify: parsed.values.get('skipCertVerify') === 'true',
    credhub: credhubRetry(parsed.values),
  };
  return { ok: true, config };
}

/** The retry settings among parsed flags. */
export function credhubRetry(values: ReadonlyMap<string, string>): CredhubRetry {
  return {
    attempts: Number(parseInteger(values.get('credhubConnectAttempts') ?? '')),
    delayMs: parseDurationMs(values.get('credhubRetryDelay') ?? '') ?? 0,
  };
}
