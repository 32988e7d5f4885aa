/** `/v3/jobs/:guid`: the state of work that outlives its request. */
import { z } from 'zod';
import { seesEverything } from '../../../../service/access/caller.ts';
import { notFound } from '../../route/cf-errors.ts';
import { route } from '../../route/define-route.ts';
import { ByGuid } from '../../route/params.ts';
import { Links, ResourceFields, resourceFields } from '../../route/present.ts';

const Job = z
  .object({
    ...ResourceFields,
    operation: z.string(),
    state: z.enum(['PROCESSING', 'POLLING', 'COMPLETE', 'FAILED']),
    errors: z.array(z.object({ code: z.int(), title: z.string(), detail: z.string() })),
    warnings: z.array(z.object({ detail: z.string() })),
    links: Links,
  })
  .describe('job');

const get = route({
  method: 'GET',
  path: '/v3/jobs/:guid',
  summary: 'Get a job',
  access: 'signed-in',
  params: ByGuid,
  answers: { 200: Job },
  handle: async ({ params, caller, service, base }) => {
    const job = await service.jobs.find(params.guid);
    const visible = job !== undefined && (job.user_guid === caller.guid || seesEverything(caller));
    if (!visible) throw notFound('Job');
    return {
      status: 200,
      body: {
        ...resourceFields(job),
        operation: job.operation,
        state: job.state,
        errors: [...job.errors],
        warnings: [...job.warnings],
        links: { self: { href: `${base}/v3/jobs/${job.guid}` } },
      },
    };
  },
});

export const jobRoutes = [get];
