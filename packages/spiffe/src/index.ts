export { WorkloadApiError } from './grpc-call.js';
export { readJwtSvid, type UnverifiedJwtSvid, type VerifiedJwtSvid } from './jwt-svid.js';
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
