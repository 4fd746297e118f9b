import { auditFile, cedarFromDirectory, createGuard, type GuardOptions, type Resource } from '@countersign/core';
import { agentAuth, permit } from '@countersign/express';
import express, { type Express, type Request } from 'express';
import { Merging } from './merging.js';
import { PullRequests } from './pull-requests.js';

export interface ApiOptions {
  /** Where clients reach the API. */
  readonly origin: string;
  /** The agents, the issuers of tokens, and who asks people for approval. */
  readonly trusted: Pick<GuardOptions, 'agents' | 'issuers' | 'approvals'>;
  readonly policiesFolder: string;
  readonly auditFolder: string;
}

export interface Api {
  readonly app: Express;
  close(): Promise<void>;
}

/** The pull-request API. To adopt Countersign it took the guard, one `app.use` and a `permit` on each route. */
export async function createApi({ origin, trusted, policiesFolder, auditFolder }: ApiOptions): Promise<Api> {
  const guard = await createGuard({
    origin,
    ...trusted,
    policy: await cedarFromDirectory(policiesFolder),
    audit: auditFile(auditFolder),
  });

  const app = express();
  app.use(agentAuth(guard)); // before any body parser
  app.use(express.json());

  const pulls = new PullRequests();

  app.get('/repos/:owner/:repo/pulls', permit('repo.read', repo, { requires: 'repo:read' }), (req, res) => {
    res.json(pulls.list(repo(req).id));
  });

  app.post('/repos/:owner/:repo/pulls', permit('pr.create', repo, { requires: 'pr:write:draft' }), (req, res) => {
    const { caller, body } = req;
    const title: unknown = body?.title;
    if (caller === undefined || typeof title !== 'string')
      return void res.status(400).json({ error: 'title is missing' });
    const { actor, subject, chain } = caller;
    const pull = pulls.openDraft(repo(req).id, { title, openedBy: actor.id, openedFor: subject.id });
    res.status(201).json({ pull, chain });
  });

  // The same permission as a decorator, on the method of a controller.
  const merging = new Merging(pulls);
  app.post('/repos/:owner/:repo/merge', merging.merge.bind(merging));

  return { app, close: () => guard.close() };
}

/** The resource of a route, from its parameters and never from the body alone. */
function repo({ params }: Request<{ owner: string; repo: string }>): Resource {
  return { type: 'Repo', id: `${params.owner}/${params.repo}` };
}
