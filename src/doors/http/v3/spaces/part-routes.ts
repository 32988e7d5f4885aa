/** What belongs to a space beside its apps: features, isolation segment, security groups. */
import { z } from 'zod';
import { mayManageSpace } from '../../../../service/access/may.ts';
import { updateSpace } from '../../../../service/resources/spaces.ts';
import { notFound } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { listQuery, texts } from '../../route/list-query.ts';
import { ByGuid } from '../../route/params.ts';
import { Links, listOf, presentList, ToOne, toOne } from '../../route/present.ts';
import { spaceToChange, visibleSpace } from './find.ts';
import { SpaceFeature, SpaceFeatures, UpdateFeature } from './schema.ts';

const ssh = (enabled: boolean) => ({
  name: 'ssh',
  description: 'Enable SSHing into apps in the space.',
  enabled,
});

const listFeatures = route({
  method: 'GET',
  path: '/v3/spaces/:guid/features',
  summary: 'List the features of a space',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: SpaceFeatures },
  handle: async (call) => {
    const { allow_ssh } = await visibleSpace(call, call.params.guid);
    return { status: 200, body: { resources: [ssh(allow_ssh)] } };
  },
});

const ByFeature = ByGuid.extend({ name: z.string().max(100) });

const getFeature = route({
  method: 'GET',
  path: '/v3/spaces/:guid/features/:name',
  summary: 'Get a feature of a space',
  access: 'signed-in',
  params: ByFeature,
  answers: { 200: SpaceFeature },
  handle: async (call) => {
    const { allow_ssh } = await visibleSpace(call, call.params.guid);
    if (call.params.name !== 'ssh') throw notFound('Feature');
    return { status: 200, body: ssh(allow_ssh) };
  },
});

const setFeature = route({
  method: 'PATCH',
  path: '/v3/spaces/:guid/features/:name',
  summary: 'Switch a feature of a space: kept and shown, since nothing runs here',
  access: 'signed-in',
  params: ByFeature,
  body: UpdateFeature,
  answers: { 200: SpaceFeature },
  handle: async (call) => {
    const { params, body, service } = call;
    const found = await spaceToChange(call, params.guid, mayManageSpace);
    if (params.name !== 'ssh') throw notFound('Feature');
    await updateSpace(service.database.queries, found.guid, { allow_ssh: body.enabled });
    return { status: 200, body: ssh(body.enabled) };
  },
});

const isolation = route({
  method: 'GET',
  path: '/v3/spaces/:guid/relationships/isolation_segment',
  summary: 'Say that a space has no isolation segment',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: ToOne.extend({ links: Links }) },
  handle: async (call) => {
    const { guid } = await visibleSpace(call, call.params.guid);
    const href = `${call.base}/v3/spaces/${guid}/relationships/isolation_segment`;
    return { status: 200, body: { ...toOne(null), links: { self: { href } } } };
  },
});

const GroupsQuery = listQuery({ names: texts.optional() });

const groups = (['running', 'staging'] as const).map((kind) =>
  route({
    method: 'GET',
    path: `/v3/spaces/:guid/${kind}_security_groups`,
    summary: `List the security groups for ${kind}: there are none, networks are the operator's`,
    access: 'signed-in',
    params: ByGuid,
    query: GroupsQuery,
    answers: { 200: listOf(z.never()) },
    handle: async (call) => {
      await visibleSpace(call, call.params.guid);
      const none: readonly never[] = [];
      return { status: 200, body: presentList({ rows: none, total: 0 }, call, (row) => row) };
    },
  }),
);

export const spacePartRoutes = [listFeatures, getFeature, setFeature, isolation, ...groups];
