import { Permit } from '@countersign/express';
import type { Request, Response } from 'express';
import type { PullRequests } from './pull-requests.js';

type RepoRequest = Request<{ owner: string; repo: string }>;

/** A controller: its method carries its permission, wherever it is mounted. */
export class Merging {
  readonly #pulls: PullRequests;

  constructor(pulls: PullRequests) {
    this.#pulls = pulls;
  }

  @Permit('pr.merge', ({ params }: RepoRequest) => ({ type: 'Repo', id: `${params.owner}/${params.repo}` }))
  async merge({ params, body }: RepoRequest, res: Response): Promise<void> {
    const merged = this.#pulls.merge(`${params.owner}/${params.repo}`, body?.number);
    if (merged === undefined) return void res.status(404).json({ error: 'no such pull request' });
    res.json({ pull: merged });
  }
}
