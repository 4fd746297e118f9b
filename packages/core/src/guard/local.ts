import { randomUUID } from 'node:crypto';
import { checkOptionNames, ConfigError, deepFreeze } from '@countersign/common';
import { type Hop, isIdentifier, parseScope, type Scope } from '@countersign/delegation';
import type { Caller } from '../model/caller.js';
import { bufferedBody } from '../stages/body/buffered-body.js';
import type { Revalidation } from '../stages/revocation/revalidate.js';
import type { ServedRequests } from './served-requests.js';

/** Who calls by other ways than HTTP, such as the standard input of a program that somebody started. */
export interface LocalIdentity {
  /** The id of the agent. If it is registered, suspending it ends what it may do; the directory is asked at the first decision. */
  readonly agent: string;
  /** The user on whose behalf it acts. Default: nobody, so that it acts for itself. */
  readonly subject?: string;
  /** What it may use: a list, or text separated by spaces. Default: nothing. */
  readonly scope?: Scope | string;
  /** Default: none. */
  readonly roles?: readonly string[];
}

interface LocalParts {
  readonly served: ServedRequests;
  readonly revalidation: Revalidation;
}

const optionNames = ['agent', 'subject', 'scope', 'roles'] as const satisfies readonly (keyof LocalIdentity)[];

/**
 * Makes a caller of what the application itself states. Nothing proves it, and records and policies can tell
 * (`possession` is `local`). It is good until its `complete`, for any number of calls.
 *
 * @throws ConfigError which says what to do.
 */
export function createLocalCallers({ served, revalidation }: LocalParts): (identity: LocalIdentity) => Caller {
  return (identity) => {
    const { agent, subject, scope, roles } = readIdentity(identity);
    const hop = { proof: 'local', scope } as const;
    const actor: Hop = { id: agent, type: 'agent', ...hop };
    const chain: readonly [Hop, ...Hop[]] =
      subject === undefined ? [actor] : [{ id: subject, type: 'user', ...hop }, actor];
    const [{ id, type }] = chain;
    const session = deepFreeze({
      actor: { id: agent, type: 'agent', roles: [...roles], capabilities: scope } as const,
      subject: { id, type },
      chain,
      scope,
    });
    return served.admit({
      session,
      proof: { kind: 'local' },
      facts: { id: randomUUID() },
      body: bufferedBody(new Uint8Array()),
      received: undefined,
      revalidate: revalidation({ chain, signers: [], token: undefined, askedAt: undefined }),
    });
  };
}

function readIdentity(identity: LocalIdentity): {
  readonly agent: string;
  readonly subject: string | undefined;
  readonly scope: Scope;
  readonly roles: readonly string[];
} {
  if (typeof identity !== 'object' || identity === null) {
    throw new ConfigError("guard.local: say who calls, like { agent: 'agent-local', subject: 'user_123' }.");
  }
  checkOptionNames('guard.local', identity, optionNames);
  const { agent, subject, scope = [], roles = [] } = identity;
  if (!isIdentifier(agent)) throw new ConfigError("guard.local: 'agent' must be the id of an agent: visible text.");
  if (subject !== undefined && (!isIdentifier(subject) || subject === agent)) {
    throw new ConfigError(
      "guard.local: 'subject' must be the id of a user, or be left out: the agent acts for itself.",
    );
  }
  if (!Array.isArray(roles) || !roles.every(isIdentifier)) {
    throw new ConfigError("guard.local: 'roles' must be a list of names.");
  }
  return { agent, subject, scope: readScope(scope), roles };
}

function readScope(scope: unknown): Scope {
  const text: unknown = Array.isArray(scope) ? scope.join(' ') : scope;
  if (text === '') return [];
  const read = parseScope(text);
  if (!read.ok) throw new ConfigError("guard.local: 'scope' must be a list of scopes, like ['repo:read'].");
  return read.scope;
}
