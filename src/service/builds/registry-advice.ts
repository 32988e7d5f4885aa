/** What somebody with `cf` can do about a registry: the usual advice is for people at the machine. */
import { type Code, isStagerError, StagerError } from '../../words/errors.ts';

const UNREACHABLE =
  'Check the name of the registry; if it is right, ask who runs this server whether it can be reached from there.';

const ADVICE: Readonly<Record<'docker' | 'cnb', ReadonlyMap<Code, string>>> = {
  docker: new Map([
    [
      'REGISTRY_DENIED',
      'Check the name of the image; a private one needs --docker-username and the password in CF_DOCKER_PASSWORD.',
    ],
    ['REGISTRY_UNAVAILABLE', UNREACHABLE],
  ]),
  cnb: new Map([
    [
      'REGISTRY_DENIED',
      'Check the names of the buildpacks; private ones need CF_CNB_REGISTRY_CREDS, such as {"registry.example.com":{"username":"…","password":"…"}}.',
    ],
    ['REGISTRY_UNAVAILABLE', UNREACHABLE],
  ]),
};

/** The same failure with that advice; any other as it is. */
export function forPeopleOfCf(error: unknown, lifecycle: 'docker' | 'cnb'): unknown {
  if (!isStagerError(error)) return error;
  const next = ADVICE[lifecycle].get(error.code);
  if (next === undefined) return error;
  return new StagerError(error.code, error.message, { next, details: error.details, cause: error });
}
