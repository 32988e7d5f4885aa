/** Which Go: what says so, and the range that it means. */
import type { GoFile } from './go-mod.ts';

/** A wish and where it comes from. */
export interface GoWish {
  /** A range for semver. Undefined: the buildpack's default. */
  readonly range: string | undefined;
  readonly source: string;
  /** The lowest version that go.mod allows: an older Go refuses to build. */
  readonly atLeast: string | undefined;
}

/** First that says something wins: GOVERSION, toolchain, Heroku's comment, the go line, the default. */
export function goWish(
  files: { readonly mod: GoFile | undefined; readonly work: GoFile | undefined },
  env: Readonly<Record<string, string | undefined>>,
): GoWish {
  // In a workspace, go.work decides, as it does for the go command.
  const decides = files.work ?? files.mod;
  const atLeast = decides?.go === undefined ? undefined : fromGoName(decides.go);
  const asked = env['GOVERSION'] ?? '';
  if (asked !== '') return { range: rangeOf(asked), source: 'GOVERSION', atLeast };
  if (decides?.toolchain !== undefined && decides.toolchain !== 'default') {
    return { range: fromGoName(decides.toolchain), source: `toolchain in ${decides.name}`, atLeast };
  }
  const heroku = files.mod?.heroku.version;
  if (heroku !== undefined)
    return { range: rangeOf(heroku), source: 'the heroku comment in go.mod', atLeast };
  if (decides?.go !== undefined && hasToolchains(decides.go)) {
    return { range: lineOf(decides.go), source: `the go line of ${decides.name}`, atLeast };
  }
  return { range: undefined, source: 'nothing asks for one: the default', atLeast };
}

/** `go1.24`, `1.24.x`, `latest`, `>=1.25` as a range. */
function rangeOf(asked: string): string {
  const text = asked.trim().replace(/^go(?=\d)/, '');
  if (/^\d+\.\d+$/.test(text)) return `${text}.x`;
  return /^\d+\.\d+(\.\d+)?(rc|beta)\d+$/.test(text) ? fromGoName(text) : text;
}

/** `1.24` means any patch of it, `1.24.3` that or a later patch. */
function lineOf(line: string): string {
  if (/(rc|beta)/.test(line)) return fromGoName(line);
  return /^\d+\.\d+$/.test(line) ? `${line}.x` : `~${line}`;
}

/** Go 1.21 was the first to be a module; lines below are built by any later Go as what they say. */
function hasToolchains(line: string): boolean {
  const [major = 0, minor = 0] = line.split('.').map((part) => Number.parseInt(part, 10));
  return major > 1 || minor >= 21;
}

/** `1.25rc1` → `1.25.0-rc1`, as semver has it. */
export function fromGoName(name: string): string {
  const [, base = name, pre] = /^(\d+\.\d+(?:\.\d+)?)((?:rc|beta)\d+)?$/.exec(name) ?? [];
  const full = [...base.split('.'), '0'].slice(0, 3).join('.');
  return pre === undefined ? full : `${full}-${pre}`;
}

/** The other way round. */
export function toGoName(version: string): string {
  const [, base = version, pre] = /^(\d+\.\d+\.\d+)-((?:rc|beta)\d+)$/.exec(version) ?? [];
  return pre === undefined ? version : `${base.replace(/\.0$/, '')}${pre}`;
}
