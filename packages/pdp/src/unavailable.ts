/** A policy decision point that is unavailable. The guard answers 503 `policy_unavailable`. */
export class PdpUnavailableError extends Error {
  override readonly name = 'PdpUnavailableError';
}
