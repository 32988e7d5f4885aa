/** What a buildpack installed, as a bill of materials in CycloneDX. The same list gives the same bytes. */
import { basename } from 'node:path';
import type { Installed } from '../dependencies.ts';

const HASHES: Readonly<Record<string, string>> = {
  md5: 'MD5',
  sha1: 'SHA-1',
  sha256: 'SHA-256',
  sha512: 'SHA-512',
};

/** The text of a `.sbom.cdx.json`. */
export function billOf(
  buildpack: { readonly id: string; readonly version: string },
  installed: readonly Installed[],
): string {
  const once = new Map(installed.map((one) => [one.uri, one]));
  const components = [...once.values()].map(({ name, version, uri, checksum }) => {
    const [algorithm = '', digest = ''] = checksum.split(':');
    const alg = HASHES[algorithm];
    const purl = purlOf({ name, version, uri });
    return {
      type: 'library',
      'bom-ref': purl,
      name,
      version,
      purl,
      ...(alg !== undefined && { hashes: [{ alg, content: digest }] }),
    };
  });
  const document = {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: {
      tools: { components: [{ type: 'application', name: buildpack.id, version: buildpack.version }] },
    },
    components,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** The package URL of what a manifest names by `uri` (docs/kit.md lists the forms). */
export function purlOf({ name, version, uri }: Pick<Installed, 'name' | 'version' | 'uri'>): string {
  const [, scheme = '', rest = ''] = /^([a-z-]+):(.*)$/s.exec(uri) ?? [];
  const [, spec = '', stated = ''] = /^(.+?)@([^/@]+)/.exec(rest.replace(/^@/, '%40')) ?? [];
  if (scheme === 'npm' && spec !== '') return `pkg:npm/${spec}@${encoded(stated)}`;
  if (scheme === 'pypi' && spec !== '')
    return `pkg:pypi/${spec.toLowerCase().replaceAll('_', '-')}@${encoded(stated)}`;
  if (scheme === 'goproxy' && spec !== '') return `pkg:golang/${spec.toLowerCase()}@${encoded(stated)}`;
  if (scheme === 'maven') {
    const [coordinates = '', type = 'jar'] = rest.split('@');
    const [group = '', artifact = '', release = '', classifier] = coordinates.split(':');
    const more = [...(classifier === undefined ? [] : [`classifier=${encoded(classifier)}`]), `type=${type}`];
    return `pkg:maven/${group}/${artifact}@${encoded(release)}?${more.join('&')}`;
  }
  if (scheme === 'debian' || scheme === 'debian-security') {
    const [, deb, release, arch] = /^([^_]+)_([^_]+)_([^_]+)\.deb$/.exec(basename(rest)) ?? [];
    if (deb !== undefined)
      return `pkg:deb/debian/${encoded(deb)}@${encoded(decodeURIComponent(release ?? ''))}?arch=${arch}`;
  }
  return `pkg:generic/${encoded(name)}@${encoded(version)}?download_url=${encodeURIComponent(uri)}`;
}

const encoded = (text: string): string => encodeURIComponent(text).replaceAll('%3A', ':');
