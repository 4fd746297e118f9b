import { setImmediate } from 'node:timers/promises';
import { closePart, closeParts, holdParts, profileTag } from '@countersign/common';
import { boundedDirectory } from './keys/bounded-directory.js';
import { combine } from './keys/combine.js';
import type { AgentDirectory, CertificateAgents } from './keys/directory.js';
import type { Caller } from './model/caller.js';
import type { Refusal } from './model/refusal.js';
import { type DpopChallenge, refusalResponse, type RefusalResponse } from './model/refusal-response.js';
import type { HttpRequest, RequestFacts } from './model/request.js';
import { closePromised, type GuardOptions, type GuardValues, partsIn } from './options/guard-options.js';
import { readGuardOptions } from './options/option-table.js';
import { type Discovery, discoveryOf, type ProtectedResource } from './options/protected-resource.js';
import { type Authentication, createAuthentication } from './guard/authentication.js';
import { createDecisions, type Decisions } from './guard/decisions.js';
import { createLocalCallers, type LocalIdentity } from './guard/local.js';
import { Outcomes } from './guard/outcomes.js';
import { type BodyLimits, SharedRoom } from './model/request-body.js';
import { createRecorder } from './record/recorder.js';
import { createRedactor } from './record/redact.js';
import { type GuardStatus, ServedRequests } from './guard/served-requests.js';
import type { Origin } from './stages/address/origin.js';
import { createForwardedReader } from './stages/address/proxies.js';
import { usesInReplayStore } from './stages/approve/approval-uses.js';
import { approvalsProblem } from './stages/approve/approval-options.js';
import { createApprove } from './stages/approve/approve.js';
import { createEvaluator } from './stages/authorize/evaluate.js';
import { createLinkVerifier } from './stages/chain/links.js';
import type { DpopRules } from './stages/possession/by-dpop.js';
import { webBotAuthTag } from './stages/possession/by-web-bot-auth.js';
import { createDpopNonces } from './stages/possession/dpop-options.js';
import { dpopAlgorithms } from './stages/possession/dpop-proof.js';
import { acceptSignature } from './stages/possession/profile.js';
import { memoryReplayStore } from './stages/replay/memory-replay-store.js';
import { type ReplayStore, shareReplay } from './stages/replay/store.js';
import { createRevocationChecks } from './stages/revocation/check-revocations.js';
import { type Revocations, revocationsIn } from './stages/revocation/memory-revocations.js';
import { createRevalidation, type Revalidation } from './stages/revocation/revalidate.js';
import { RevocationSet } from './stages/revocation/revocation-set.js';
import { createStatusLists } from './stages/revocation/status-lists.js';
import { createTokenVerifier } from './stages/token/token-verifier.js';
import { carriesOurMark } from './stages/traffic/traffic.js';
import { createVerifier, type Verifier } from './stages/verify.js';

/** The parts over which a guard offers its methods. */
export interface GuardParts {
  readonly authenticate: (request: HttpRequest) => Promise<Authentication>;
  readonly decisions: Decisions;
  readonly outcomes: Outcomes;
  readonly local: (identity: LocalIdentity) => Caller;
  readonly respond: (refused: Refusal) => RefusalResponse;
  readonly protectedResource: ProtectedResource | undefined;
  readonly discovery: Discovery;
  readonly revocations: Revocations;
  readonly mode: 'enforce' | 'observe';
  readonly onTrouble: (message: string) => void;
  readonly status: () => GuardStatus;
  readonly close: () => Promise<void>;
}

/** Shorter than the 10 seconds after which Docker kills a process. */
const graceMilliseconds = 8000;

/** How many of the largest bodies may be held at once, in memory and on disk; more of smaller ones. */
const bodiesHeld = 128;
/** Small bodies have files too when memory is short, and many processes may open no more than 4096. */
const filesHeld = 1024;

/**
 * Turns options into the parts of a guard. If an option is wrong, what the others have opened is closed, as `Guard.close`
 * would: otherwise the folder of an audit log would stay locked, and a corrected start in the same process be refused.
 * What other guards hold stays open.
 *
 * @throws ConfigError (as a rejection) which says what to do.
 */
export async function composeGuard(options: GuardOptions): Promise<GuardParts> {
  const given = partsIn(options);
  holdParts(given);
  try {
    return compose(readGuardOptions(options));
  } catch (error) {
    closePromised(options);
    // Another guard that is created in this turn may be given the same.
    await setImmediate();
    await closeParts(given).catch(() => undefined);
    throw error;
  }
}

function compose(values: GuardValues): GuardParts {
  const { policy, scopeMatch, lookupTimeoutSeconds, clock, onTrouble } = values;
  const replay = values.replay ?? memoryReplayStore({ clock });
  const shareReplayStore = shareReplay(replay, values);
  const registered = boundedDirectory(values.agents, lookupTimeoutSeconds);
  const agents = values.mtls === undefined ? registered : combine(registered, namesOf(values.mtls));
  const audiences = values.audience ?? values.origin.map(({ href }) => href);
  const dpop = values.dpop && dpopRules(values.dpop);
  const ownRevocations = new RevocationSet();
  const recorder = createRecorder({ ...values, redact: createRedactor(values.redact) });
  const served = new ServedRequests();
  const outcomes = new Outcomes(served, recorder);
  const statusLists = createStatusLists(values);
  const revocations = createRevocationChecks({
    ...values,
    own: ownRevocations,
    sources: values.revocations,
    statusLists,
  });
  const revalidation = createRevalidation({ ...values, agents, revocations });
  const evaluate = createEvaluator({ ...values, agents, locationsFor: locationsIn(values, audiences) });
  const approve = createApprove({
    ...values,
    agents,
    revocations,
    audience: audiences[0] ?? '',
    // Not among signatures: what counts for a day would keep them out after a clock that jumped ahead for a moment.
    uses: values.approvals?.uses ?? usesInReplayStore(values.replay ?? memoryReplayStore({ clock })),
  });
  const heldMemory = new SharedRoom(values.memoryBodyBytes * bodiesHeld);
  const heldDisk = new SharedRoom(values.maxBodyBytes * bodiesHeld);
  const held = { heldMemory, heldDisk, heldFiles: new SharedRoom(filesHeld) };
  const tags = [profileTag, ...(values.webBotAuth === undefined ? [] : [webBotAuthTag])];
  const authenticate = createAuthentication({
    verify: composeVerifier({ ...values, held }, { agents, registered, audiences, dpop, revalidation, replay }),
    readForwarded: createForwardedReader(values.trustedProxies, values.mtls?.forwardedBy),
    isOurs: (request) => values.traffic === 'agents' || carriesOurMark(request, { tags, dpop: dpop !== undefined }),
    recorder,
    served,
    observes: values.mode === 'observe',
    namesOrigin: values.origin.length > 1,
    onTrouble,
  });
  // Last: a start that fails leaves nothing behind in parts of the application.
  const uncheck = policy.checkChanges?.(({ asksApproval }) => approvalsProblem(values.approvals, asksApproval));
  shareReplayStore();

  return {
    authenticate,
    decisions: createDecisions({ ...values, evaluate, approve, scopeMatch, recorder, served, outcomes }),
    outcomes,
    local: createLocalCallers({ served, revalidation }),
    respond: (refused) =>
      refusalResponse(
        refused,
        acceptSignature,
        dpop && dpopChallenge(dpop, clock() / 1000),
        values.protectedResource?.metadataUrl,
      ),
    protectedResource: values.protectedResource,
    discovery: discoveryOf({ ...values, audiences }),
    revocations: revocationsIn(ownRevocations, clock),
    mode: values.mode,
    onTrouble,
    status: () => ({
      heldBodies: { memoryBytes: heldMemory.taken, diskBytes: heldDisk.taken },
      audit: values.audit.status(),
    }),
    async close() {
      await served.close(graceMilliseconds);
      // Node emits `close` of a server before that of its last connections, whose requests have no outcome until then. It
      // comes at the end of a turn of the event loop, after the first of these.
      await setImmediate();
      await setImmediate();
      const ended = { close: () => outcomes.settled() };
      const unchecked = { close: () => uncheck?.() };
      // The log before the parts that nothing asks any more: one that hangs must not keep the log unsealed.
      await closeParts([ended, recorder, values.audit, unchecked, agents, policy, ...values.revocations]);
    },
  };
}

interface SharedParts {
  readonly agents: GuardValues['agents'];
  readonly registered: GuardValues['agents'];
  readonly audiences: readonly string[];
  readonly dpop: DpopRules | undefined;
  readonly revalidation: Revalidation;
  readonly replay: ReplayStore;
}

/** Each origin is an audience of its own, unless the application names what all of them are. */
function audiencesIn({ audience, origin }: GuardValues): (origin: Origin) => readonly string[] {
  if (audience !== undefined) return () => audience;
  const own = new Map(origin.map((each) => [each, [each.href]]));
  return (each) => own.get(each) ?? [];
}

function locationsIn(
  { audience, origin }: GuardValues,
  audiences: readonly string[],
): (facts: RequestFacts) => readonly string[] {
  if (audience !== undefined) return () => audiences;
  const own = new Map(origin.map(({ authority, href }) => [authority, [href]]));
  return ({ authority = '' }) => own.get(authority) ?? audiences;
}

function composeVerifier(
  values: GuardValues & { readonly held: Pick<BodyLimits, 'heldMemory' | 'heldDisk' | 'heldFiles'> },
  { agents, registered, audiences, dpop, revalidation, replay }: SharedParts,
): Verifier {
  const { issuers, clockSkewSeconds } = values;
  return createVerifier({
    ...values,
    origins: values.origin,
    audiencesOf: audiencesIn(values),
    agents,
    registered,
    dpop,
    tokens: createTokenVerifier({ issuers, audiences, clockSkewSeconds }),
    linkVerifier: createLinkVerifier({
      agents,
      clockSkewSeconds,
      maxLifetimeSeconds: values.maxLinkLifetimeSeconds,
    }),
    bodyLimits: {
      maxBytes: values.maxBodyBytes,
      memoryBytes: values.memoryBodyBytes,
      ...values.held,
      spoolDirectory: values.spoolDirectory,
      timeoutSeconds: values.bodyTimeoutSeconds,
      keepsFailed: values.mode === 'observe',
    },
    replay,
    revalidation,
  });
}

/** The names of agents with certificates are taken, so that no issuer vouches for a key under them. */
function namesOf(mtls: CertificateAgents): AgentDirectory {
  return {
    findByThumbprint: () => ({ kind: 'unknown' }),
    statusOf: (id) => mtls.statusOf(id),
    close: () => closePart(mtls),
  };
}

function dpopRules({ maxAgeSeconds, nonceSecret }: NonNullable<GuardValues['dpop']>): DpopRules {
  return { maxAgeSeconds, nonces: nonceSecret && createDpopNonces(nonceSecret) };
}

function dpopChallenge({ nonces }: DpopRules, now: number): DpopChallenge {
  return { algorithms: dpopAlgorithms, nonce: nonces?.current(now) };
}
