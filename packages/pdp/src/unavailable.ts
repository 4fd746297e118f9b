/** A policy decision point that cannot be asked now. The guard answers 503 `policy_unavailable`. */
export class PdpUnavailableError extends Error {
  override readonly name = 'PdpUnavailableError';
}
