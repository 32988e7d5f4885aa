/** Modules of go.mod without a line in go.sum: the go command names one of them, when it has come that far. */

/** `module version` of each; those that are replaced have the sums of others. */
export function missingSums(mod: string, sum: string): string[] {
  const plain = mod.replaceAll('\r\n', '\n').replace(/\/\/.*$/gm, '');
  const replaced = new Set(
    [...plain.matchAll(/^\s*(?:replace\s+)?(\S+)(?:\s+v\S+)?\s+=>/gm)].map(([, name]) => name),
  );
  const stated = new Set(
    [...sum.matchAll(/^(\S+) (v[^\s/]+)(?:\/go\.mod)? h1:/gm)].map(
      ([, name, version]) => `${name} ${version}`,
    ),
  );
  return [
    ...plain.matchAll(/^\s*(?:require\s+)?([\w.~-]+(?:\/[\w.~-]+)+|[\w-]+\.[\w.~-]+)\s+(v[\w.+-]+)\s*$/gm),
  ]
    .filter(([, name]) => !replaced.has(name))
    .map(([, name, version]) => `${name} ${version}`)
    .filter((it) => !stated.has(it));
}
