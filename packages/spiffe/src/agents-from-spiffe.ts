import { createHash, type KeyObject, type X509Certificate } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import { checkOptionNames, ConfigError, LruCache, type Reading, readOnTrouble } from '@countersign/common';
import { secondsOf } from './certificate-path.js';
import { certificateOf, type PeerConnection } from './connection-certificate.js';
import { readForwardedCertificate } from './forwarded-certificate.js';
import { matchesSpiffeId, readSpiffeId, type SpiffeId, trustDomainOfPattern } from './spiffe-id.js';
import {
  followServer,
  type ServerIdentity,
  type TlsServer,
  type TlsServerOptions,
  tlsServerOptions,
} from './server-tls.js';
import { openTrustBundles, type TrustBundles, type TrustDomains } from './trust-bundles.js';
import { type CertificateChain, readX509Svid, thumbprintOf, verifyX509Svid } from './x509-svid.js';

/** Which workloads are which agents. */
export interface SpiffeAgentRule {
  /** A SPIFFE ID, or one that ends in `/*`, which stands for one segment or more. The first rule that matches counts. */
  readonly id: string;
  /** The scopes that it may ever use. Default: none. */
  readonly capabilities?: readonly string[];
  /** Default: none. */
  readonly roles?: readonly string[];
  /** Who answers for it. */
  readonly owner?: string;
  /** Default `active`. */
  readonly status?: 'active' | 'suspended';
}

export interface SpiffeAgentsOptions {
  /** The trust domains, and where their bundles come from. */
  readonly trustDomains: TrustDomains;
  /** A workload that no rule names is refused. */
  readonly agents: readonly SpiffeAgentRule[];
  /** Those of the guard's `trustedProxies` that verify client certificates, and remove what clients say of them. Default: none. */
  readonly forwardedBy?: readonly string[];
  /** Gets problems that no answer can carry. Default: a process warning. */
  readonly onTrouble?: (message: string) => unknown;
}

interface Agent {
  readonly id: string;
  readonly capabilities: readonly string[];
  readonly roles: readonly string[];
  readonly owner?: string;
  readonly status: 'active' | 'suspended';
}

/** What the guard reads: the port `CertificateAgents` of `@countersign/core`. */
type CertificateLookup =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'found';
      readonly agent: Agent;
      readonly publicKey: KeyObject;
      readonly thumbprint: string;
      readonly expires: number;
      readonly recheck: (now: number) => CertificateLookup;
    }
  | { readonly kind: 'refused'; readonly detail: string }
  | { readonly kind: 'unavailable'; readonly cause: string };

/** Agents by their X.509-SVIDs: the option `mtls` of `createGuard`. */
export interface SpiffeAgents {
  findByCertificate(
    shown: { readonly connection: object | undefined; readonly forwarded: readonly string[] },
    now: number,
  ): CertificateLookup;
  statusOf(id: string): 'active' | 'suspended' | 'unknown';
  /** Options for `https.createServer` and `http2.createSecureServer`: clients are asked for a certificate, none needs one. */
  tlsOptions(identity: ServerIdentity): TlsServerOptions;
  /** Keeps the certificates of a server current; returns what ends that. `added` is what the application spread beside `tlsOptions`. */
  follow(server: TlsServer, identity: ServerIdentity, added?: SecureContextOptions): () => void;
  close(): void;
  readonly forwardedBy: readonly string[];
}

const owner = 'agentsFromSpiffe';
const mostForwarded = 1000;

/**
 * Agents that prove themselves with an X.509-SVID on the connection, or from a trusted proxy by X-Forwarded-Client-Cert.
 * A certificate is verified by the bundle of its own trust domain, and again once that changes or the certificate ends.
 *
 * @throws ConfigError (as a rejection) when an option is wrong, or a bundle file cannot be used.
 *
 * @example
 * const spiffe = await agentsFromSpiffe({
 *   trustDomains: { 'example.org': { socket: '/run/spire/agent.sock' } },
 *   agents: [{ id: 'spiffe://example.org/ci/*', capabilities: ['repo:read'] }],
 * });
 */
export async function agentsFromSpiffe(options: SpiffeAgentsOptions): Promise<SpiffeAgents> {
  checkOptionNames(owner, options, ['trustDomains', 'agents', 'forwardedBy', 'onTrouble']);
  const { trustDomains, forwardedBy = [] } = options;
  if (!Array.isArray(forwardedBy)) throw new ConfigError(`${owner}: 'forwardedBy' must be a list, like ['10.0.0.7'].`);
  const rules = readRules(options.agents, Object.keys(trustDomains ?? {}));
  const onTrouble = readOnTrouble(owner, options.onTrouble);
  const bundles = await openTrustBundles(trustDomains, { onTrouble });
  let version = 0;
  bundles.onChange(() => (version += 1));
  const shared = { bundles, rules, version: () => version };
  const onConnection = new WeakMap<object, KnownCertificate>();
  const forwardedBefore = new LruCache<KnownCertificate>(mostForwarded);

  function findForwarded(lines: readonly string[], now: number): CertificateLookup {
    if (lines.length === 0) return { kind: 'none' };
    const key = createHash('sha256').update(lines.join('\n')).digest('base64');
    const known = forwardedBefore.get(key);
    if (known !== undefined) return known.lookUp(now);
    const certificate = new KnownCertificate(() => readForwardedCertificate(lines), shared);
    forwardedBefore.set(key, certificate);
    return certificate.lookUp(now);
  }

  function findOnConnection(connection: PeerConnection, now: number): CertificateLookup {
    const known = onConnection.get(connection);
    if (known !== undefined) return known.lookUp(now);
    const chain = certificateOf(connection);
    if (chain === undefined) return { kind: 'none' };
    const certificate = new KnownCertificate(() => ({ ok: true, value: chain }), shared);
    onConnection.set(connection, certificate);
    return certificate.lookUp(now);
  }

  return Object.freeze({
    findByCertificate: ({ connection, forwarded }, now) =>
      connection === undefined ? findForwarded(forwarded, now) : findOnConnection(connection, now),
    statusOf: (id) => agentOf(id, rules)?.status ?? 'unknown',
    tlsOptions: (identity) => tlsServerOptions(identity),
    follow: (server, identity, added = {}) => followServer(server, identity, { added, onTrouble }),
    close: () => bundles.close(),
    forwardedBy: Object.freeze([...forwardedBy]),
  } satisfies SpiffeAgents);
}

interface Shared {
  readonly bundles: TrustBundles;
  readonly rules: readonly SpiffeAgentRule[];
  readonly version: () => number;
}

/** A certificate, with the answer for as long as the bundles and the time do not change it. */
class KnownCertificate {
  /** Not the chain: a certificate takes up to 50 times as much memory as the text that it was forwarded in. */
  readonly #read: () => Reading<CertificateChain>;
  readonly #shared: Shared;
  readonly #claimed: ReturnType<typeof readX509Svid>;
  #last:
    | { readonly version: number; readonly from: number; readonly until: number; readonly lookup: CertificateLookup }
    | undefined;

  constructor(read: () => Reading<CertificateChain>, shared: Shared) {
    this.#read = read;
    this.#shared = shared;
    const chain = read();
    this.#claimed = chain.ok ? readX509Svid(chain.value.leaf) : chain;
  }

  lookUp(now: number): CertificateLookup {
    if (!this.#claimed.ok) return { kind: 'refused', detail: this.#claimed.problem };
    const version = this.#shared.version();
    const last = this.#last;
    // The bundle may also have become too old.
    const bundle = this.#shared.bundles.x509Authorities(this.#claimed.value.trustDomain);
    if (bundle.kind === 'unknown') return { kind: 'refused', detail: 'its trust domain is not trusted here' };
    if (bundle.kind === 'unavailable') return { kind: 'unavailable', cause: bundle.cause };
    if (last?.version === version && last.from <= now && now < last.until) return last.lookup;
    const chain = this.#read();
    if (!chain.ok) return { kind: 'refused', detail: chain.problem };
    const lookup = this.#verify(chain.value, this.#claimed.value, { authorities: bundle.authorities, now });
    const { leaf, others } = chain.value;
    const until =
      lookup.kind === 'found' ? lookup.expires : nextBeginning([leaf, ...others, ...bundle.authorities], now);
    this.#last = { version, from: now, until, lookup };
    return lookup;
  }

  #verify(
    chain: CertificateChain,
    { id }: SpiffeId,
    { authorities, now }: { readonly authorities: readonly X509Certificate[]; readonly now: number },
  ): CertificateLookup {
    const verified = verifyX509Svid(chain, authorities, now);
    if (!verified.ok) return { kind: 'refused', detail: verified.problem };
    const agent = agentOf(id, this.#shared.rules);
    if (agent === undefined) return { kind: 'refused', detail: `no rule names ${id}` };
    const { leaf } = chain;
    return {
      kind: 'found',
      agent,
      publicKey: leaf.publicKey,
      thumbprint: thumbprintOf(leaf),
      expires: verified.value,
      recheck: (at) => this.lookUp(at),
    };
  }
}

/** When the next of these certificates begins to count: time alone ends a refusal in no other way. */
function nextBeginning(certificates: readonly X509Certificate[], now: number): number {
  return Math.min(...certificates.map(({ validFrom }) => secondsOf(validFrom)).filter((beginning) => beginning > now));
}

function agentOf(id: string, rules: readonly SpiffeAgentRule[]): Agent | undefined {
  const matching = rules.filter((each) => matchesSpiffeId(each.id, id));
  // Wherever it stands: whoever stops a workload in an incident appends it.
  const rule = matching.find(({ status }) => status === 'suspended') ?? matching[0];
  // A name that only looks like one below the pattern.
  if (rule === undefined || readSpiffeId(id) === undefined || id.length > 256) return undefined;
  const { capabilities = [], roles = [], owner: answerable, status = 'active' } = rule;
  return { id, capabilities, roles, ...(answerable !== undefined && { owner: answerable }), status };
}

/** @throws ConfigError */
function readRules(rules: readonly SpiffeAgentRule[], domains: readonly string[]): readonly SpiffeAgentRule[] {
  if (!Array.isArray(rules) || rules.length === 0) {
    throw new ConfigError(
      `${owner}: 'agents' must say which workloads are agents, like [{ id: 'spiffe://example.org/ci/*', capabilities: ['repo:read'] }].`,
    );
  }
  return rules.map((rule: SpiffeAgentRule) => {
    checkOptionNames(`${owner}, 'agents'`, rule, ['id', 'capabilities', 'roles', 'owner', 'status']);
    const trustDomain = trustDomainOfPattern(rule.id);
    if (trustDomain === undefined || !domains.includes(trustDomain)) {
      throw new ConfigError(
        `${owner}: the 'id' of an agent must be a SPIFFE ID of one of 'trustDomains', with a path, or end in '/*': ${rule.id}.`,
      );
    }
    const { capabilities = [], roles = [], status = 'active', owner: answerable = '-' } = rule;
    if (!isList(capabilities) || !isList(roles) || typeof answerable !== 'string') {
      throw new ConfigError(
        `${owner}, '${rule.id}': 'capabilities' and 'roles' are lists of names, 'owner' is a name.`,
      );
    }
    if (status !== 'active' && status !== 'suspended') {
      throw new ConfigError(`${owner}, '${rule.id}': 'status' is 'active' or 'suspended'.`);
    }
    return { ...rule, capabilities: [...capabilities], roles: [...roles] };
  });
}

function isList(list: unknown): boolean {
  return Array.isArray(list) && list.every((name) => typeof name === 'string');
}
