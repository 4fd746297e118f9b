import {
  type Actor,
  type AuthorizationDetail,
  checkNarrowing,
  grantOf,
  maxAncestors,
  type ParentGrant,
  readAuthorizationDetails,
} from '@countersign/delegation';
import type { AgentRegistry } from '../agents/registry.js';
import { expiryOf, type GrantRequest, type IssueServices } from './grants.js';
import type { IssuedToken } from './issue.js';
import { grantScope, readResource } from './narrow.js';
import { oauthError } from './oauth-error.js';
import { findRule } from '../delegation/exchange-rules.js';
import { isEnded, notEnded } from '../delegation/ends.js';
import type { SubjectToken } from '../delegation/subject-token-reading.js';

const accessToken = 'urn:ietf:params:oauth:token-type:access_token';
const jwtType = 'urn:ietf:params:oauth:token-type:jwt';
const ended = 'the user or an administrator ended this agent, and the user has not signed in or consented again';
const exchangedTooOften = 'the subject token was exchanged too often: exchange an earlier one';

export const exchangeParameters: readonly string[] = [
  'subject_token',
  'subject_token_type',
  'actor_token',
  'actor_token_type',
  'requested_token_type',
  'resource',
  'audience',
  'scope',
  'authorization_details',
];

/**
 * Token exchange (RFC 8693): the agent acts for the subject of a token, as far as that token, its own capabilities and a
 * rule allow. All actors stay in the token; nothing gets wider; the new hop dies with the token that it was made from.
 */
export async function exchangeToken(
  request: GrantRequest,
  services: IssueServices & { readonly agents: AgentRegistry },
): Promise<IssuedToken & { readonly issued_token_type: string }> {
  const { agent, parameters: params, thumbprint } = request;
  const { settings, now } = services;
  const token = await readSubjectToken(params, services);
  const resource = readResource(resourceOf(params), settings.resources);
  if (token.mayAct !== undefined && token.mayAct !== agent.id)
    throw refused('may_act of the subject token names another agent');

  const sameAgent = token.holder === agent.id;
  const rule = sameAgent ? undefined : findRule(settings.exchange, { agent, token, issuer: settings.issuerName });
  if (!sameAgent && rule === undefined) throw refused('no rule allows this agent to exchange this token');
  const priorActors = actorsBefore(token, sameAgent);
  checkActors(priorActors, agent.id, token.subject, settings.maxDelegationDepth);
  // One is for the key of the agent.
  if (token.ancestors.length >= maxAncestors) throw refused(exchangedTooOften);
  // An agent and a user of an external issuer could have one name.
  if (token.claims === undefined && (await services.agents.isName(token.subject))) {
    throw refused('the subject has the name of an agent');
  }

  const scope = grantScope(resource, params['scope'], token.scope, [agent.capabilities, rule?.scope]);
  const { authorizationDetails, scopeMatch = resource.scopeMatch } = token.limits;
  if (scopeMatch !== resource.scopeMatch)
    throw refused('the issuer of the subject token compares scopes otherwise than the API');
  const details = readDetails(params['authorization_details']) ?? authorizationDetails;
  const maxHops = hopsLeft(token, sameAgent);
  const expiresAt = Math.min(expiryOf(request, services), token.expiresAt);
  if (expiresAt <= now()) throw refused('the subject token has expired');
  const parent = parentGrant(token, resource.audience);
  const { maxHops: _, ...same } = parent;
  const child = {
    scope,
    expiresAt,
    audience: [resource.audience],
    ...(details !== undefined && { authorizationDetails: details }),
  };
  const broken = checkNarrowing(sameAgent ? same : parent, child, resource.scopeMatch);
  if (broken !== undefined) throw refused(broken.detail);
  const binding = await request.binding();
  checkPossession(token, [thumbprint, binding.confirmation.jkt]);

  const grant = {
    subject: token.subject,
    agent: agent.id,
    ...(token.issuedAt !== undefined && { grantedAt: token.issuedAt }),
    ...(token.claims?.id !== undefined && { parentId: token.claims.id }),
  };
  const issued = await services.issue({
    ...grant,
    priorActors,
    ancestors: token.ancestors,
    resource,
    scope,
    expiresAt,
    thumbprint,
    ...binding,
    ...(details !== undefined && { authorizationDetails: details }),
    ...(maxHops !== undefined && { maxHops }),
    uses: notEnded(grant),
    subjectIssuer: token.subjectIssuer,
    subjectIsAgent: isOfAgent(token),
  });
  if (issued === undefined) {
    if (await isEnded(settings.store, grant)) throw refused(ended);
    throw refused('the subject token was revoked, or the agent may not act now');
  }
  return { ...issued, issued_token_type: accessToken };
}

async function readSubjectToken(
  params: Readonly<Record<string, unknown>>,
  services: IssueServices,
): Promise<SubjectToken> {
  const { subject_token: token, subject_token_type: type, requested_token_type: requested } = params;
  if (typeof token !== 'string') throw oauthError('invalid_request', 'subject_token is missing');
  if (type !== accessToken && type !== jwtType) {
    throw oauthError('invalid_request', `subject_token_type must be ${accessToken}`);
  }
  if (requested !== undefined && requested !== accessToken) {
    throw oauthError('invalid_request', `requested_token_type must be ${accessToken}`);
  }
  // The actor is the agent that authenticates. A token of another would say something that nobody checks.
  if (params['actor_token'] !== undefined || params['actor_token_type'] !== undefined) {
    throw oauthError('invalid_request', 'actor_token is not supported: the agent that authenticates is the actor');
  }
  const read = await services.subjectTokens.verify(token);
  if (!read.ok) throw refused(read.problem);
  return read.token;
}

/** An agent's token for itself has no actor. What is made from it must not pass for that of a user. */
function isOfAgent({ claims }: SubjectToken): boolean {
  return claims !== undefined && (claims.actor === undefined || claims.subjectType === 'agent');
}

/** RFC 8693 §2.1 has both names for where the token is used. */
function resourceOf({ resource, audience }: Readonly<Record<string, unknown>>): unknown {
  if (resource !== undefined && audience !== undefined && resource !== audience) {
    throw oauthError('invalid_target', 'resource and audience name different APIs');
  }
  return resource ?? audience;
}

/** The agents that acted before, most recent first. An agent that narrows its own token makes no new hop. */
function actorsBefore({ claims }: SubjectToken, sameAgent: boolean): readonly Actor[] {
  if (claims?.actor === undefined) return [];
  return sameAgent ? claims.priorActors : [claims.actor, ...claims.priorActors];
}

function checkActors(priorActors: readonly Actor[], agent: string, subject: string, most: number): void {
  // A token of the agent for itself has no actors: those before it would be lost.
  if (agent === subject && priorActors.length > 0) throw refused('the agent is the subject of the chain');
  if (priorActors.some((actor) => actor.subject === agent)) throw refused('the agent is in the chain already');
  if (priorActors.length + (agent === subject ? 0 : 1) > most) throw refused(`a chain has at most ${most} actors`);
}

/** The audience of a token of another issuer is this authority, so it does not limit the API. */
function parentGrant({ claims, limits, scope, expiresAt }: SubjectToken, audience: string): ParentGrant {
  return claims === undefined ? { ...limits, scope, expiresAt, audience: [audience] } : grantOf(claims);
}

/** A bound token of another issuer must not become a bearer token: whoever stole it lacks its key. */
function checkPossession({ boundTo }: SubjectToken, proved: readonly string[]): void {
  if (boundTo !== undefined && !proved.includes(boundTo))
    throw refused('the subject token is bound to a key (cnf): send a DPoP proof of that key');
}

function hopsLeft({ limits: { maxHops } }: SubjectToken, sameAgent: boolean): number | undefined {
  if (maxHops === undefined) return undefined;
  return sameAgent ? maxHops : Math.max(maxHops - 1, 0);
}

function readDetails(value: unknown): readonly AuthorizationDetail[] | undefined {
  if (value === undefined) return undefined;
  let json: unknown;
  try {
    json = typeof value === 'string' ? JSON.parse(value) : undefined;
  } catch {
    json = undefined;
  }
  const read = readAuthorizationDetails(json);
  if (!read.ok) throw oauthError('invalid_request', read.detail);
  return read.details;
}

function refused(detail: string): Error {
  return oauthError('invalid_grant', detail);
}
