import type { IncomingMessage, ServerResponse } from 'node:http';
import { approvalLimits } from '@countersign/approval';
import { closeParts, ConfigError, holdParts, isClosed } from '@countersign/common';
import { openTrustBundles } from '@countersign/spiffe';
import { createInvitations } from './agents/invitations.js';
import { createAgentRegistry } from './agents/registry.js';
import { createWorkloads } from './agents/workloads.js';
import { createApprovals } from './approvals/approvals.js';
import { createConsents, createUserDelegations } from './delegation/consents.js';
import { IssuerUnavailable } from './delegation/issuer-keys.js';
import { createLedger } from './delegation/ledger.js';
import { statusListLifetimeSeconds } from './delegation/status-list.js';
import { createSubjectTokens } from './delegation/subject-token.js';
import type { Authority } from './create-authority.js';
import { type Answer, answerTo, send } from './http/answer.js';
import { createPublished } from './http/published.js';
import { createRequestTrouble } from './request-trouble.js';
import { route, type RouteServices } from './http/routes.js';
import { type Place, placeOf } from './http/place.js';
import { workloadToken } from './http/workload-token.js';
import { createSeal } from './keys/seal.js';
import { openSigningKeys } from './keys/signing-keys.js';
import type { AuthorityOptions } from './options/authority-options.js';
import { readOptions } from './options/read-options.js';
import { ProviderUnavailable } from './pages/openid-provider.js';
import { createOpenIdSignIn } from './pages/openid-sign-in.js';
import { createPages } from './pages/pages.js';
import { agreedTime } from './storage/clock.js';
import { StoreUnavailable } from './storage/store.js';
import { startSweeper } from './storage/sweeper.js';
import { noTrail, startTrail } from './trail/trail.js';
import { BundleUnavailable, createWorkloadAuthentication } from './tokens/authenticate-workload.js';
import { createChallenges } from './tokens/challenge.js';
import { createCodes } from './tokens/code.js';
import { createEngine } from './tokens/engine.js';
import { createIssueToken } from './tokens/issue.js';

/** Builds the parts of an authority. */
export async function composeAuthority(options: AuthorityOptions): Promise<Authority> {
  const settings = readOptions(options);
  const { store, issuerName: issuer, onTrouble, adminTokens, users } = settings;
  // First, because a provider that cannot be used stops the start.
  const signIn =
    users?.signIn === undefined ? undefined : await createOpenIdSignIn({ settings, options: users.signIn, now });
  const trail = settings.audit === undefined ? noTrail : startTrail({ store, sink: settings.audit, now, onTrouble });
  const agents = createAgentRegistry(store, now, trail, settings.spiffe?.workloads);
  const invitations = createInvitations(store, now, trail);
  const keys = await openSigningKeys({
    store,
    seal: createSeal(settings.secret),
    rotationDays: settings.signingKeyDays,
    longestTokenSeconds: Math.max(
      settings.tokenLifetimeSeconds,
      statusListLifetimeSeconds,
      settings.approvals === undefined ? 0 : approvalLimits.useWithinSeconds.most,
    ),
    now,
    agreedTime: () => agreedTime(store, now),
    onTrouble,
  });
  const approvals =
    settings.approvals === undefined
      ? undefined
      : await createApprovals({ settings: { ...settings, approvals: settings.approvals }, agents, keys, trail, now });
  const ledger = createLedger(store, now, trail, approvals?.subjectRevoked);
  const issue = createIssueToken({ issuer, ledger, keys, now });
  const subjectTokens = createSubjectTokens({ ...settings, issuer, keys, ledger, now });
  const consents = createConsents(store, ledger, issuer, now, trail);
  const codes = createCodes({ settings, consents, now });
  const challenges = createChallenges({ settings, agents, issue, now });
  const queue = approvals?.queue;
  const trouble = createRequestTrouble(onTrouble);
  const engine = createEngine({
    onFailure: trouble.failed,
    settings,
    agents,
    ledger,
    keys,
    issue,
    subjectTokens,
    codes,
    queue,
    now,
  });
  const bundles =
    settings.spiffe && (await openTrustBundles(settings.spiffe.trustDomains, { onTrouble: settings.onTrouble }));
  const workloads =
    settings.spiffe &&
    bundles &&
    createWorkloadAuthentication({
      bundles,
      workloads: createWorkloads({ store, agents, rules: settings.spiffe.workloads, now, trail }),
      store,
      issuer,
      now,
    });
  const authenticate = signIn?.authenticate ?? users?.authenticate;
  const pages =
    users === undefined || authenticate === undefined
      ? undefined
      : createPages({
          settings: { ...settings, users: { ...users, authenticate } },
          ...(signIn !== undefined && { signIn, signOutForm: signIn.signOutForm }),
          agents,
          consents,
          codes,
          userDelegations: createUserDelegations(store, now, trail),
          approvals: approvals && {
            settings: { ...settings, users: { ...users, authenticate }, approvals: approvals.settings },
            agents,
            queue: approvals.queue,
            now,
          },
          now,
        });
  const published = createPublished({ issuer, store, agents, ledger, keys, now, onTrouble });
  const services: RouteServices = {
    issuer,
    store,
    adminTokens,
    agents,
    invitations,
    trail,
    ledger,
    keys,
    challenges,
    published,
    approvals: queue && { issuer, store, agents, keys, queue, workloads, now },
    adminApprovals: approvals && { approvals, store, now },
    now,
  };
  const sweeper = startSweeper(store, now, onTrouble);

  async function answer(request: IncomingMessage, response: ServerResponse, place: Place): Promise<void> {
    try {
      const answered =
        (await pages?.route(request, place.path, place.query)) ??
        (await route(request, place.path, place.query, services)) ??
        (engine.has(place.path) ? undefined : notFound);
      if (answered !== undefined) send(response, answered);
      else await answerOAuth(request, response, place);
      if (response.statusCode < 500) trouble.succeeded();
    } catch (error) {
      const known = answerTo(error);
      // The client went away in the middle of its body.
      if (known === undefined && request.readableAborted) return;
      if (known === undefined) trouble.failed(error);
      const [status, ours] = outages.some((kind) => error instanceof kind)
        ? [503, 'temporarily_unavailable']
        : [500, 'server_error'];
      if (response.headersSent) response.destroy();
      else send(response, known ?? pages?.failure(place.path, status) ?? { status, body: { error: ours } });
    }
  }

  /** The library answers, except to workloads, which it does not know. */
  async function answerOAuth(request: IncomingMessage, response: ServerResponse, place: Place): Promise<void> {
    if (workloads === undefined || place.path !== '/token' || request.method !== 'POST') {
      await engine.handle(place.rewritten(request), response);
      return;
    }
    const taken = await workloadToken(request, { settings, issue, subjectTokens, agents, workloads, issuer, now });
    if ('answer' in taken) send(response, taken.answer);
    else await engine.handle(place.rewritten(taken.notOurs), response);
  }

  const started = [approvals, bundles, sweeper, keys, trail].filter((part) => part !== undefined);
  // Last: a start that fails keeps no sink from being closed, and one that takes a while finds what was closed meanwhile.
  if (isClosed(settings.audit)) {
    await closeParts(started).catch(() => undefined);
    throw new ConfigError(closedAudit);
  }
  if (settings.audit !== undefined) holdParts([settings.audit]);
  return Object.freeze({
    listener: (request, response, next) => {
      const place = placeOf(request, settings.issuer);
      if (place !== undefined) void answer(request, response, place);
      else if (next === undefined) send(response, notFound);
      else next();
    },
    agents,
    invitations,
    delegations: ledger,
    challenges,
    approvals: queue,
    rotateSigningKey: () => keys.rotate(),
    close: () => closeParts([...started, ...(settings.audit === undefined ? [] : [settings.audit]), store]),
  } satisfies Authority);
}

const closedAudit =
  "createAuthority: 'audit' was closed, such as by an earlier guard or authority. Open it again, or create the new authority before you close the old one.";

/** What we need does not answer now. */
const outages = [StoreUnavailable, ProviderUnavailable, IssuerUnavailable, BundleUnavailable];

const notFound: Answer = { status: 404, body: { error: 'not_found' } };

/** Unix seconds. */
function now(): number {
  return Math.floor(Date.now() / 1000);
}
