/** Sends again what a client sent, with the guids and addresses of this server in the place of those that it met. */
import { decodeJwt } from 'jose';
import type { Api, Reply } from '../support/api.ts';
import type { Exchange } from './recording.ts';

/** Looks for a state before it gives up. */
const LOOKS = 200;
const LOOK_MS = 50;

/** One client's session. */
export class Replay {
  readonly #api: Api;
  readonly #names = new Map<string, string>();
  #token = '';

  constructor(api: Api) {
    this.#api = api;
  }

  /** Does one exchange, and says in sentences where the answer is not what the client would need. */
  async exchange(recorded: Exchange): Promise<readonly string[]> {
    let reply = await this.#send(recorded);
    for (let look = 1; look < LOOKS && isEarly(recorded, reply); look++) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      reply = await this.#send(recorded);
    }
    const { method, path } = recorded;
    if (reply.status !== recorded.status)
      return [`${method} ${path}: ${reply.status} instead of ${recorded.status}: ${reply.text}`];
    this.#take(recorded, reply);
    return wrongFields(recorded, reply).map((sentence) => `${method} ${path}: ${sentence}`);
  }

  async #send(recorded: Exchange): Promise<Reply> {
    // The time of the recording may be after that of this machine's clock.
    const query = recorded.query.map(([name, value]): [string, string] => [
      name,
      name === 'start_time' ? '0' : this.#fill(value),
    ]);
    const target = `${this.#fill(recorded.path)}${query.length === 0 ? '' : `?${new URLSearchParams(query)}`}`;
    const body = this.#body(recorded);
    const isBasic = recorded.path.endsWith('/oauth/token');
    return await this.#api.ask(recorded.method, target, {
      as: 'nobody',
      headers: {
        ...Object.fromEntries(recorded.headers.flatMap((name) => headerOf(name, recorded))),
        ...(recorded.headers.includes('authorization') && {
          authorization: isBasic ? `Basic ${btoa('cf:')}` : `bearer ${this.#token}`,
        }),
      },
      ...(body !== undefined && { body }),
    });
  }

  #body(recorded: Exchange): string | FormData | undefined {
    if (recorded.parts !== undefined) {
      const form = new FormData();
      for (const part of recorded.parts) {
        if ('text' in part) form.set(part.name, this.#fill(part.text));
        else form.set(part.name, new Blob([Buffer.from(part.base64, 'base64')]), part.filename);
      }
      return form;
    }
    if (recorded.json !== undefined) return this.#fill(JSON.stringify(recorded.json));
    return recorded.text === undefined ? undefined : this.#fill(recorded.text);
  }

  #take({ captures }: Exchange, reply: Reply): void {
    const token = at(reply.body, ['access_token']);
    if (typeof token === 'string') this.#token = token;
    const location = reply.headers.get('location') ?? '';
    for (const [name, [first = '', ...rest]] of Object.entries(captures)) {
      if (first === 'location') this.#names.set(name, location.split('/').at(-1) ?? '');
      else if (first === 'path') this.#names.set(name, location.replace(this.#api.url, ''));
      else if (first === 'claims') this.#names.set(name, String(decodeJwt(this.#token)[rest[0] ?? '']));
      else this.#names.set(name, String(at(reply.body, [first, ...rest])));
    }
  }

  #fill(text: string): string {
    return text.replaceAll(/\$\{([\w-]+)\}/g, (_, name: string) => {
      const value = this.#names.get(name);
      if (value === undefined) throw new Error(`${name} was in no answer`);
      return value;
    });
  }
}

function isEarly({ until }: Exchange, reply: Reply): boolean {
  return until !== undefined && reply.status === 200 && reply.body['state'] !== until;
}

function headerOf(name: string, { contentType }: Exchange): readonly (readonly [string, string])[] {
  if (name === 'content-type') return contentType === undefined ? [] : [[name, contentType]];
  if (name === 'accept') return [[name, 'application/json']];
  if (name === 'user-agent') return [[name, 'cf/8.18.4 (go1.26.8; amd64 linux)']];
  return name === 'authorization' ? [] : [[name, '0123456789abcdef']];
}

/** A field that was null or empty can have a value now, and the other way round where the recording had null. */
function wrongFields({ reads }: Exchange, { body, text }: Reply): string[] {
  return Object.entries(reads).flatMap(([path, wanted]) => {
    const value = at(body, path.split('.'));
    const type = typeOf(value);
    if (type === wanted || (wanted === 'null' && type !== undefined)) return [];
    return [`${path} is ${type ?? 'missing'} instead of ${wanted} in ${text.slice(0, 500)}`];
  });
}

function typeOf(value: unknown): string | undefined {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : value === undefined ? undefined : typeof value;
}

function at(value: unknown, path: readonly string[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = Object.entries(found).find(([name]) => name === key)?.[1];
  }
  return found;
}
