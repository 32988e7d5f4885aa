/**
 * The parameters and fields that each route takes, read from its schemas, and what becomes of them. What no rule names
 * is supported. A rule that fits nothing is a mistake, and fails.
 */
import { z } from 'zod';
import type { ServedRoute } from '../../src/doors/http/route/route.ts';

const WORDS = ['supported', 'without effect', 'refused'] as const;
type Word = (typeof WORDS)[number];

/** [routes, fields, what becomes of them]. */
const RULES: readonly (readonly [RegExp, RegExp, Word])[] = [
  // Nothing runs here: kept and shown.
  [
    /^(?:PATCH|POST) \/v3\/(?:apps\/:guid\/)?processes\/:/,
    /^(?:instances|memory_in_mb|disk_in_mb|log_rate_limit_in_bytes_per_second|user)$|^(?:readiness_)?health_check\b/,
    'without effect',
  ],
  [/^PATCH \/v3\/(?:apps|spaces)\/:guid\/features\/:name$/, /^enabled$/, 'without effect'],
  [/^POST \/v3\/domains$/, /^internal$/, 'without effect'],
  [/^(?:POST|PATCH) \/v3\/routes/, /^options\b/, 'without effect'],
  [/^(?:POST|PATCH) \/v3\/routes.*destinations$/, /\.(?:port|protocol)$/, 'without effect'],
  // What stager does not have is parsed, so that a sentence can say so.
  [/^POST \/v3\/domains$/, /^router_group$/, 'refused'],
  [/^POST \/v3\/routes$/, /^port$/, 'refused'],
  [/^(?:POST|PATCH) \/v3\/service_(?:instances|credential_bindings)/, /^parameters$/, 'refused'],
];

/** Parameters of every list. */
const COMMON = /^(?:page|per_page|order_by|guids|label_selector|(?:created|updated)_ats(?:\[\w+\])?|names)$/;

/** The table as Markdown: a row for every route that takes a parameter or a field. */
export function fieldTable(routes: readonly ServedRoute[]): string {
  const used = new Set<number>();
  const rows = routes.flatMap((route) => {
    const name = `${route.method} ${route.path}`;
    const fields = fieldsOf(route.body);
    const parameters = fieldsOf(route.query).filter((field) => !COMMON.test(field));
    if (fields.length === 0 && parameters.length === 0) return [];
    const by = Map.groupBy(fields, (field) => wordFor({ name, field, used }));
    const cells = [parameters, ...WORDS.map((word) => by.get(word) ?? [])].map(cell);
    return [{ path: route.path, line: `| ${route.method} | \`${route.path}\` | ${cells.join(' | ')} |` }];
  });
  const unused = RULES.filter((_, index) => !used.has(index)).map(([route, field]) => `${route} ${field}`);
  if (unused.length > 0) throw new Error(`rules that fit no field: ${unused.join('; ')}`);
  const lines = rows.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  return [
    '| method | path | parameters | fields: supported | accepted without effect | refused |',
    '|---|---|---|---|---|---|',
    ...lines.map(({ line }) => line),
  ].join('\n');
}

function wordFor(of: { readonly name: string; readonly field: string; readonly used: Set<number> }): Word {
  const index = RULES.findIndex(([route, field]) => route.test(of.name) && field.test(of.field));
  const word = RULES[index]?.[2];
  if (word === undefined) return 'supported';
  of.used.add(index);
  return word;
}

function cell(fields: readonly string[]): string {
  return fields.map((field) => `\`${field}\``).join(', ');
}

const JsonSchema: z.ZodType<JsonSchema> = z.lazy(() =>
  z.looseObject({
    properties: z.record(z.string(), JsonSchema).optional(),
    items: JsonSchema.optional(),
    anyOf: z.array(JsonSchema).optional(),
    oneOf: z.array(JsonSchema).optional(),
    allOf: z.array(JsonSchema).optional(),
  }),
);
interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>> | undefined;
  readonly items?: JsonSchema | undefined;
  readonly anyOf?: readonly JsonSchema[] | undefined;
  readonly oneOf?: readonly JsonSchema[] | undefined;
  readonly allOf?: readonly JsonSchema[] | undefined;
}

/** `lifecycle.data.stack`, `relationships.space`: to the last name, without `data.guid` of relationships. */
export function fieldsOf(schema: z.ZodType | undefined): readonly string[] {
  if (schema === undefined) return [];
  const json = JsonSchema.parse(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }));
  const names = walk(json, '').map((name) =>
    name.replace(/^(.*)\.data\.guid$/, '$1').replace(/\[\]\.guid$/, ''),
  );
  return [...new Set(names)];
}

function walk(schema: JsonSchema, path: string): readonly string[] {
  const { properties = {}, items, anyOf = [], oneOf = [], allOf = [] } = schema;
  const inside = [
    ...Object.entries(properties).flatMap(([name, part]) =>
      walk(part, path === '' ? name : `${path}.${name}`),
    ),
    ...(items === undefined ? [] : walk(items, path)),
    ...[...anyOf, ...oneOf, ...allOf].flatMap((part) => walk(part, path)),
  ].filter((name) => name !== path);
  if (inside.length > 0) return inside;
  return path === '' ? [] : [path];
}
