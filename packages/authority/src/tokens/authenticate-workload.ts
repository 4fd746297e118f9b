import { createHash } from 'node:crypto';
import { audienceForKey, readJwtSvid, type TrustBundles, type VerifiedJwtSvid } from '@countersign/spiffe';
import { errors } from 'oidc-provider';
import { mayAct, type RegisteredAgent } from '../agents/agent.js';
import { isAgentId } from '../agents/read-agent.js';
import type { Workloads } from '../agents/workloads.js';
import { AuthorityError } from '../authority-error.js';
import { taking, wasTaken } from '../storage/one-time.js';
import type { Store } from '../storage/store.js';
import type { TokenBinding } from './grants.js';
import { verifyKeyProof } from './dpop-proof.js';

/** draft-ietf-oauth-spiffe-client-auth §4.1. */
export const spiffeAssertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-spiffe';

/** A workload that proved its SPIFFE ID, and the key that it made for itself. */
export interface AuthenticatedWorkload {
  readonly agent: RegisteredAgent;
  readonly binding: TokenBinding;
  /** Until when the JWT-SVID counts: nothing that is issued for it lives longer. */
  readonly expiresAt: number;
}

export interface WorkloadAuthentication {
  /** @throws `invalid_client` or `invalid_dpop_proof`, as the library answers them; or BundleUnavailable. */
  authenticate(assertion: string, request: WorkloadRequest): Promise<AuthenticatedWorkload>;
}

export interface WorkloadRequest {
  readonly dpop: string | undefined;
  readonly clientId: string | undefined;
  /** Where it was sent, as the authority names that endpoint. */
  readonly url: string;
}

/** The bundle of a trust domain cannot be had: our outage, not the fault of the workload. */
export class BundleUnavailable extends Error {
  override readonly name = 'BundleUnavailable';
}

/** So long after its end a JWT-SVID may still count, and what is known of it is kept. */
const clockSkewSeconds = 60;
/** A database holds no larger times than this. */
const latestSeconds = 100_000_000_000;

export interface WorkloadServices {
  readonly bundles: TrustBundles;
  readonly workloads: Workloads;
  readonly store: Store;
  readonly issuer: string;
  readonly now: () => number;
}

/**
 * A JWT-SVID says which workload asks, and the SPIRE agent gives the same one out twice. So the workload also proves a key
 * of its own, to which the token is bound, and each proof counts once. A JWT-SVID counts with one key: with the key that
 * its audience names, or else with the first key that comes with it.
 */
export function createWorkloadAuthentication(services: WorkloadServices): WorkloadAuthentication {
  const { bundles, workloads, store, issuer, now } = services;

  function verifySvid(assertion: string, thumbprint: string): VerifiedJwtSvid {
    const read = readJwtSvid(assertion);
    if (!read.ok) throw refused(read.problem);
    const lookup = bundles.jwtAuthorities(read.value.trustDomain);
    if (lookup.kind === 'unavailable') throw new BundleUnavailable(lookup.cause);
    if (lookup.kind === 'unknown') throw refused('its trust domain is not trusted here');
    const audience = [audienceForKey(issuer, thumbprint), issuer];
    const verified = read.value.verify(lookup.authorities, { audience, now: now() });
    if (!verified.ok) throw refused(verified.problem);
    return verified.value;
  }

  async function agentOf(id: string): Promise<RegisteredAgent> {
    if (!isAgentId(id)) throw refused('its name is too long');
    try {
      const agent = await workloads.agentOf(id);
      if (agent !== undefined && mayAct(agent, now())) return agent;
    } catch (error) {
      if (!(error instanceof AuthorityError)) throw error;
      throw refused(error.message);
    }
    throw refused('no rule names this workload, or it may not act now');
  }

  return {
    async authenticate(assertion, { dpop, clientId, url }) {
      const { thumbprint, jwk, useUp } = await verifyKeyProof(dpop, { url, now: now() });
      const svid = verifySvid(assertion, thumbprint);
      if (clientId !== undefined && clientId !== svid.id) throw refused('client_id is not that of the JWT-SVID');
      const agent = await agentOf(svid.id);
      if (await workloads.isRegisteredKey(thumbprint)) throw refused('the key belongs to a registered agent');
      await useUp(store);
      if (svid.audience === issuer && !(await isFirstKey(store, assertion, { thumbprint, until: svid.expiresAt }))) {
        throw refused('another key came first with this JWT-SVID');
      }
      const confirmation = jwk === undefined ? { jkt: thumbprint } : { jkt: thumbprint, jwk };
      return { agent, binding: { confirmation, tokenType: 'DPoP' }, expiresAt: Math.floor(svid.expiresAt) };
    },
  };
}

/** Whether a JWT-SVID that names no key comes for the first time, or again with the key of that time. */
async function isFirstKey(
  store: Store,
  assertion: string,
  { thumbprint, until }: { readonly thumbprint: string; readonly until: number },
): Promise<boolean> {
  // Without the signature, of which ECDSA has two spellings.
  const svid = createHash('sha256')
    .update(assertion.slice(0, assertion.lastIndexOf('.')))
    .digest('base64url');
  const expiresAt = Math.min(Math.ceil(until), latestSeconds) + clockSkewSeconds;
  const withKey = `${svid} ${thumbprint}`;
  const first = await store.batch([taking('svid', svid, expiresAt), taking('svid', withKey, expiresAt)]);
  return first !== undefined || (await wasTaken(store, 'svid', withKey));
}

function refused(detail: string): Error {
  return new errors.InvalidClientAuth(detail);
}
