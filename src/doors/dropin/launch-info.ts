/** What the launcher reads from staging_info.yml in the working directory. */
import { readIfThere } from './go/path.ts';
import { decodeYamlBytes } from './go/utf8.ts';

/** Both may be empty. */
export interface DropinLaunchInfo {
  readonly startCommand: string;
  readonly entrypointPrefix: string;
}

const FILE = 'staging_info.yml';

/** Reads the file; one that is missing says nothing. @throws Error with the message to print. */
export async function readDropinLaunchInfo(): Promise<DropinLaunchInfo> {
  const content = readIfThere(FILE);
  if (content === undefined) return { startCommand: '', entrypointPrefix: '' };
  const text = decodeYamlBytes(content);
  return fromJson(text) ?? fromYaml(text);
}

/** Escapes of JSON that YAML refuses: the slash, and halves of a pair. */
const NO_YAML = /\\(?:\/|u[dD][89a-fA-F])/;

/** Beyond ASCII, and among control characters, YAML refuses or folds what JSON takes. */
const PLAIN = /^[\t\n\r -~]*$/;

/**
 * The file as builders write it, without loading a YAML parser, which takes a good part of a launcher's start.
 * Anything that is not plainly that is left to YAML.
 */
function fromJson(text: string): DropinLaunchInfo | undefined {
  if (!text.startsWith('{') || NO_YAML.test(text) || !PLAIN.test(text)) return undefined;
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return undefined;
  }
  const command = field(document, 'start_command');
  const config = field(document, 'config');
  const prefix = config === undefined ? undefined : field(config, 'entrypoint_prefix');
  const detected = field(document, 'detected_buildpack');
  const texts = [command, prefix, detected].filter((it) => it !== undefined);
  const plain =
    config === undefined || (typeof config === 'object' && config !== null && !Array.isArray(config));
  if (!plain || texts.some((it) => typeof it !== 'string')) return undefined;
  return { startCommand: String(command ?? ''), entrypointPrefix: String(prefix ?? '') };
}

function field(document: unknown, name: string): unknown {
  return typeof document === 'object' && document !== null
    ? new Map(Object.entries(document)).get(name)
    : undefined;
}

async function fromYaml(text: string): Promise<DropinLaunchInfo> {
  const { decodeYaml, stringShape, structShape } = await import('./go/yaml-decode.ts');
  const { configShape } = await import('./buildpack-config.ts');
  const shape = structShape(
    'buildpackrunner.DeaStagingInfo',
    { detected_buildpack: stringShape, start_command: stringShape, config: configShape },
    () => ({ detected_buildpack: '', start_command: '', config: configShape.zero() }),
  );
  const { value, message } = decodeYaml(shape, text);
  if (message !== undefined) throw new Error(`failed to unmarshal ${FILE}: ${message}`);
  return { startCommand: value.start_command, entrypointPrefix: value.config?.entrypoint_prefix ?? '' };
}
