/** A pull request of one repository. */
export interface PullRequest {
  readonly number: number;
  readonly title: string;
  readonly state: 'draft' | 'merged';
  /** The agent that opened it, and the user for whom. */
  readonly openedBy: string;
  readonly openedFor: string;
}

/** The pull requests of every repository, in memory. */
export class PullRequests {
  readonly #byRepo = new Map<string, PullRequest[]>();

  list(repo: string): readonly PullRequest[] {
    return this.#byRepo.get(repo) ?? [];
  }

  openDraft(repo: string, draft: Pick<PullRequest, 'title' | 'openedBy' | 'openedFor'>): PullRequest {
    const pulls = this.list(repo);
    const opened = { number: pulls.length + 1, state: 'draft', ...draft } as const;
    this.#byRepo.set(repo, [...pulls, opened]);
    return opened;
  }

  /** The merged pull request, or undefined if the number is unknown. */
  merge(repo: string, number: unknown): PullRequest | undefined {
    const pulls = this.list(repo).map((pull) =>
      pull.number === number ? { ...pull, state: 'merged' as const } : pull,
    );
    this.#byRepo.set(repo, pulls);
    return pulls.find((pull) => pull.number === number);
  }
}
