export { audienceForKey } from './audience-for-key.js';
export { WorkloadApiError } from './grpc-call.js';
export { type JwtSvidTerms, readJwtSvid, type UnverifiedJwtSvid, type VerifiedJwtSvid } from './jwt-svid.js';
export { readSocketPath } from './socket-path.js';
export { matchesSpiffeId, readSpiffeId, type SpiffeId, trustDomainOfPattern } from './spiffe-id.js';
export {
  type BundlePlace,
  type Lookup,
  openTrustBundles,
  type TrustBundleOptions,
  type TrustBundles,
  type TrustDomains,
} from './trust-bundles.js';
export { fetchJwtSvid, type JwtSvid } from './workload-api.js';
export {
  agentsFromSpiffe,
  type SpiffeAgentRule,
  type SpiffeAgents,
  type SpiffeAgentsOptions,
} from './agents-from-spiffe.js';
export type { ServerIdentity, TlsServer, TlsServerOptions } from './server-tls.js';
export { openSpiffeWorkload, type SpiffeWorkload, type SpiffeWorkloadOptions } from './workload.js';
export type { X509Bundles, X509Svid } from './workload-api.js';
