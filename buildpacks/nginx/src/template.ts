/** Cloud Foundry's words in nginx.conf: `{{port}}`, `{{env "X"}}`, `{{module "x"}}`, `{{nameservers}}`. */
import { BuildpackFailure } from '../../kit/index.ts';
import type { Config } from './config.ts';

/** One word of a template in a file. */
interface Word {
  readonly name: string;
  readonly argument: string | undefined;
  readonly where: string;
}

const WORDS = '{{port}}, {{env "NAME"}}, {{module "name"}} and {{nameservers}}';
const PATTERN = /\{\{(?<inner>[\s\S]*?)\}\}/g;

/** @throws BuildpackFailure with file and line for what is none of them. */
function wordOf(inner: string, where: string): Word {
  const [, name = '', double, quoted] =
    /^-?\s*\.?([A-Za-z]+)(?:\s+(?:"([^"]*)"|`([^`]*)`))?\s*-?$/.exec(inner) ?? [];
  const argument = double ?? quoted;
  const wanted = { port: false, nameservers: false, env: true, module: true }[name.toLowerCase()];
  if (wanted === undefined) {
    throw new BuildpackFailure(`${where}: {{${inner}}} is not a word that can be filled in`, {
      next: `There are ${WORDS}.`,
    });
  }
  if (wanted && !/^[A-Za-z0-9_]+$/.test(argument ?? '')) {
    throw new BuildpackFailure(`${where}: {{${inner}}} needs a name in quotes`, {
      next: `Write {{${name} "NAME"}} with letters, digits and _ only.`,
    });
  }
  if (!wanted && argument !== undefined) {
    throw new BuildpackFailure(`${where}: {{${inner}}} takes no name`, { next: `Write {{${name}}}.` });
  }
  return { name: name.toLowerCase(), argument, where };
}

/** Each `{{…}}` of a text replaced. */
function replaceWords(text: string, file: string, by: (word: Word) => string): string {
  return text.replace(PATTERN, (_whole, inner: string, at: number) => {
    const line = text.slice(0, at).split('\n').length;
    return by(wordOf(inner, `${file}:${line}`));
  });
}

/** Modules that the files ask for, each with the first place. */
export function modulesOf(config: Config): Map<string, string> {
  const found = new Map<string, string>();
  for (const [file, text] of config.files) {
    replaceWords(text, file, ({ name, argument, where }) => {
      if (name === 'module' && argument !== undefined && !found.has(argument)) found.set(argument, where);
      return '';
    });
  }
  return found;
}

/** @throws BuildpackFailure when no file takes the port of the platform. */
export function demandPort(config: Config): void {
  for (const [file, text] of config.files) {
    let has = false;
    replaceWords(text, file, ({ name, argument }) => {
      has ||= name === 'port' || (name === 'env' && argument === 'PORT');
      return '';
    });
    if (has) return;
  }
  const listens = config.directives.filter(({ name }) => name === 'listen');
  const places = listens.map(({ file, line, args }) => `${file}:${line}: listen ${args.join(' ')};`);
  const looked = [...config.files.keys()].join(', ');
  throw new BuildpackFailure(
    `nginx does not listen on the port of the platform: no {{port}} in ${looked}${places.map((place) => `\n${place}`).join('')}`,
    { next: 'Write listen {{port}}; in the server block.' },
  );
}

/** @throws BuildpackFailure when nginx would leave its parent, which the platform takes for its end. */
export function demandForeground(config: Config): void {
  const daemon = config.directives.find(({ name }) => name === 'daemon');
  if (daemon === undefined || daemon.args[0] === 'off') return;
  throw new BuildpackFailure(
    `${daemon.file}:${daemon.line}: daemon ${daemon.args.join(' ')} sends nginx to the background`,
    {
      next: 'Write daemon off; or leave the line out: the platform would think that the app has ended.',
    },
  );
}

/** What the start fills in, in the form that it reads; `loadModule` gives the directive of a module. */
export function templateOf(
  text: string,
  file: string,
  choices: { readonly plain: ReadonlySet<string>; readonly loadModule: (name: string) => string },
): string {
  return replaceWords(text, file, ({ name, argument = '' }) => {
    if (name === 'module') return choices.loadModule(argument);
    if (name !== 'env') return `{{${name}}}`;
    return choices.plain.has(argument) ? `{{plain:${argument}}}` : `{{env:${argument}}}`;
  }).replaceAll(TMP, '{{tmp}}');
}

/** Directives that the configuration leaves out although nginx would not start or log here without them. */
export function withDefaults(text: string, file: string, config: Config): string {
  const main = new Set(config.directives.filter(({ within }) => within.length === 0).map(({ name }) => name));
  const http = config.directives.find(({ name, within }) => name === 'http' && within.length === 0);
  const inHttp = new Set(
    config.directives.filter(({ within }) => within.join() === 'http').map(({ name }) => name),
  );
  let result = text;
  // In the line that is there, so that the lines that nginx names are those of the app.
  if (http?.file === file && http.opens !== undefined) {
    const missing = HTTP.filter(([name]) => !inHttp.has(name)).map(([name, value]) => `${name} ${value};`);
    result = `${result.slice(0, http.opens)} ${missing.join(' ')}${result.slice(http.opens)}`;
  }
  if (file !== 'nginx.conf') return result;
  const missing = MAIN.filter(([name]) => !main.has(name)).map(([name, value]) => `${name} ${value};`);
  return `${missing.join(' ')} ${result}`;
}

/** Stands for the folder of temporary files until an app can no longer say it. */
const TMP = '\0tmp';

const MAIN = [
  ['daemon', 'off'],
  ['pid', `${TMP}/nginx.pid`],
  ['error_log', 'stderr'],
] as const;
const HTTP = [
  ['access_log', '/dev/stdout'],
  ['client_body_temp_path', `${TMP}/body`],
  ['proxy_temp_path', `${TMP}/proxy`],
  ['fastcgi_temp_path', `${TMP}/fastcgi`],
  ['uwsgi_temp_path', `${TMP}/uwsgi`],
  ['scgi_temp_path', `${TMP}/scgi`],
] as const;
