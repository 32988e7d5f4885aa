/** Packages in vendor/: those for another Python or machine are told, since uv only says that it found none. */

/** Of a wheel's file name: `name-version(-build)?-python-abi-platform.whl`. */
const WHEEL = /^(.+?)-([^-]+)(?:-\d[^-]*)?-([^-]+)-([^-]+)-([^-]+)\.whl$/;
const MACHINE = process.arch === 'arm64' ? 'aarch64' : 'x86_64';

/** Wheels that this Python can not load: `numpy-2.0.0-cp312-cp312-macosx_11_0_arm64.whl (for another machine)`. */
export function unfitWheels(names: readonly string[], line: string): string[] {
  const own = `cp${line.replace('.', '')}`;
  return names.flatMap((name) => {
    const [, , , pythons, abis, platforms] = WHEEL.exec(name) ?? [];
    if (pythons === undefined || abis === undefined || platforms === undefined) return [];
    const onMachine = platforms
      .split('.')
      .some((it) => it === 'any' || (/^(many)?linux/.test(it) && it.endsWith(`_${MACHINE}`)));
    if (!onMachine) return [`${name} (for another machine)`];
    const onPython = abis.split('.').some((abi) => abi === 'none' || abi === own || abi === 'abi3');
    const anyPython = pythons.split('.').some((it) => /^py3/.test(it) || it === own || abis.includes('abi3'));
    return onPython && anyPython ? [] : [`${name} (for another Python)`];
  });
}
