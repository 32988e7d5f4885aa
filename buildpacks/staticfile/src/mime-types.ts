/** Media types by file ending: those of nginx's package, what newer ones call otherwise, and what all of them lack. */

/** Newer nginx and the standards have another type for these than Debian's package. */
const NEWER: Readonly<Record<string, string>> = {
  js: 'text/javascript',
  mjs: 'text/javascript',
  atom: 'application/atom+xml',
  avif: 'image/avif',
  ttf: 'font/ttf',
  otf: 'font/otf',
  ttc: 'font/collection',
  woff: 'font/woff',
  woff2: 'font/woff2',
  wasm: 'application/wasm',
};

/** Only where the list has nothing. */
const MISSING: Readonly<Record<string, string>> = {
  cjs: 'text/javascript',
  webmanifest: 'application/manifest+json',
  map: 'application/json',
  jsonld: 'application/ld+json',
  geojson: 'application/geo+json',
  topojson: 'application/json',
  ipynb: 'application/json',
  md: 'text/markdown',
  markdown: 'text/markdown',
  yaml: 'application/yaml',
  yml: 'application/yaml',
  toml: 'application/toml',
  csv: 'text/csv',
  tsv: 'text/tab-separated-values',
  ics: 'text/calendar',
  vcf: 'text/vcard',
  vtt: 'text/vtt',
  log: 'text/plain',
  appcache: 'text/cache-manifest',
  xsl: 'application/xml',
  xslt: 'application/xslt+xml',
  rdf: 'application/rdf+xml',
  gpx: 'application/gpx+xml',
  epub: 'application/epub+zip',
  webp: 'image/webp',
  apng: 'image/apng',
  jxl: 'image/jxl',
  heic: 'image/heic',
  heif: 'image/heif',
  cur: 'image/x-icon',
  flac: 'audio/flac',
  opus: 'audio/ogg',
  oga: 'audio/ogg',
  weba: 'audio/webm',
  wav: 'audio/wav',
  aac: 'audio/aac',
  ogv: 'video/ogg',
  mkv: 'video/x-matroska',
  mpd: 'application/dash+xml',
  glb: 'model/gltf-binary',
  gltf: 'model/gltf+json',
  usdz: 'model/vnd.usdz+zip',
  stl: 'model/stl',
  obj: 'model/obj',
  gz: 'application/gzip',
  tgz: 'application/gzip',
  bz2: 'application/x-bzip2',
  xz: 'application/x-xz',
  zst: 'application/zstd',
  tar: 'application/x-tar',
  apk: 'application/vnd.android.package-archive',
  sql: 'application/sql',
};

/** nginx's list with ours in it; each ending once, since nginx complains about doubles. */
export function completeTypes(list: string): string {
  const known = new Set<string>();
  const lines = list.split('\n').map((line) => {
    const [, indent = '', type = '', endings = ''] = /^(\s*)([\w.+-]+\/[\w.+-]+)\s+([^;]+);/.exec(line) ?? [];
    if (type === '') return line;
    const kept = endings.split(/\s+/).filter((ending) => !Object.hasOwn(NEWER, ending));
    for (const ending of kept) known.add(ending);
    return kept.length === 0 ? undefined : `${indent}${type} ${kept.join(' ')};`;
  });
  const added = Object.entries({ ...MISSING, ...NEWER })
    .filter(([ending]) => !known.has(ending))
    .map(([ending, type]) => `    ${type} ${ending};`);
  const text = lines.filter((line) => line !== undefined).join('\n');
  const end = text.lastIndexOf('}');
  return `${text.slice(0, end).trimEnd()}\n\n${added.join('\n')}\n${text.slice(end)}`;
}
