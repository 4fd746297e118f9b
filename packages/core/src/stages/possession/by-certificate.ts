import { andThen, type Awaitable, ConfigError, isPromise } from '@countersign/common';
import type { AgentDirectory, CertificateAgents, CertificateLookup, CertifiedAgent } from '../../keys/directory.js';
import { type Refusal, refusal } from '../../model/refusal.js';
import type { Forwarded } from '../address/proxies.js';
import { type KeyHolder, statusOf } from './key-holder.js';
import { notProved, type ProofReading, type ProofSubject } from './possession.js';
import { uncoveredCredential } from './profile.js';

export interface CertificateParts {
  /** Undefined: no certificate counts. */
  readonly mtls: CertificateAgents | undefined;
  /** The agents with registered keys. */
  readonly registered: AgentDirectory;
}

/** What makes another proof of a request, broken or not: no certificate counts beside it. */
const otherProofs = ['signature', 'signature-input', 'dpop'];

/**
 * Possession by the certificate of the TLS connection. TLS protects the request on its way to whoever ends it and binds
 * nothing in it, so a field that gives authority is refused beside it. Undefined: the request shows no certificate.
 */
export function readCertificate(
  { request, authorization, now }: ProofSubject,
  mtls: CertificateAgents,
  { registered, forwarded }: Pick<CertificateParts, 'registered'> & { readonly forwarded: Forwarded },
): ProofReading | undefined {
  const { fields } = request;
  if (otherProofs.some((field) => fields.has(field))) return undefined;
  const { certificates } = forwarded;
  // The connection of a proxy, or of a peer that may be one, has the certificate of the proxy.
  const connection = certificates === undefined ? request.connection : undefined;
  const lookup = mtls.findByCertificate({ connection, forwarded: certificates ?? [] }, now);
  if (lookup.kind === 'none') return undefined;
  const found = certified(lookup);
  if ('code' in found) return notProved(found);
  const uncovered = uncoveredCredential(fields, (field) => field === 'authorization');
  if (uncovered !== undefined) return notProved(uncovered, found.thumbprint);
  const { thumbprint, expires } = found;
  // Otherwise the agent would act for itself with a token that says for whom it acts.
  if (authorization.kind === 'malformed')
    return notProved(refusal('token_malformed', authorization.detail), thumbprint);
  return {
    ok: true,
    async verify() {
      const holder = await holderOf(found, registered);
      if ('code' in holder) return notProved(holder, thumbprint);
      return {
        ok: true,
        possession: {
          holder,
          proof: { kind: 'mtls', keyId: thumbprint },
          coversField: undefined,
          use: {
            keyId: thumbprint,
            nonce: undefined,
            created: now,
            validUntil: expires,
            codes: { expired: 'certificate_refused', replayed: 'certificate_refused' },
          },
        },
      };
    },
  };
}

function certified(lookup: CertificateLookup): CertifiedAgent | Refusal {
  switch (lookup.kind) {
    case 'found':
      return lookup;
    case 'unavailable':
      return refusal('keys_unavailable', lookup.cause);
    case 'refused':
      return refusal('certificate_refused', lookup.detail);
    case 'none':
      return refusal('certificate_refused', 'the certificate is gone');
  }
}

/** One name has one kind of key: where a directory knows it, only the keys there count. */
async function holderOf(
  { agent, thumbprint, publicKey, recheck }: CertifiedAgent,
  registered: AgentDirectory,
): Promise<KeyHolder | Refusal> {
  const status = await statusOf(registered, agent.id);
  if (status === 'unavailable') return refusal('keys_unavailable');
  if (status === 'suspended' || agent.status !== 'active') return refusal('agent_suspended', agent.id);
  if (status !== 'unknown') return refusal('certificate_refused', `${agent.id} is registered here with other keys`);
  const again = (now: number): Awaitable<KeyHolder | Refusal> =>
    andThen(certified(recheck(now)), (found) => ('code' in found ? found : holderOf(found, registered)));
  return { agent, thumbprint, publicKey, vouchedBy: 'directory', again };
}

/** @throws ConfigError when the option is wrong. */
export function readMutualTls(
  mtls: CertificateAgents | undefined,
  { bearer, traffic }: { readonly bearer?: boolean; readonly traffic?: 'agents' | 'mixed' },
): CertificateAgents | undefined {
  if (mtls === undefined) return undefined;
  const methods = ['findByCertificate', 'statusOf'] as const;
  if (isPromise(mtls) || methods.some((method) => typeof mtls?.[method] !== 'function')) {
    throw new ConfigError(
      "createGuard: 'mtls' must be what names agents by certificate: await agentsFromSpiffe({ … }).",
    );
  }
  // Every connection of a mesh has a certificate: a token alone, or a request that is not ours, would seem to have a proof.
  if (bearer === true || traffic === 'mixed') {
    throw new ConfigError("createGuard: 'mtls' is neither for 'bearer' nor for traffic: 'mixed'.");
  }
  return mtls;
}
